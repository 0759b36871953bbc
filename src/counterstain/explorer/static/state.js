// Everything that is seen stands in the address: #/view/number?key=value. A reload or a mailed link shows the same.

const LINKED = ["ch", "lim", "pal"]; // how channels are shown: kept from one picture to the next

export function route() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [view = "", id = ""] = path.split("/");
  return { view: view || "plate", id: /^\d+$/.test(id) ? Number(id) : 0, params: new URLSearchParams(query) };
}

export function link(view, id = null, params = {}) {
  const query = new URLSearchParams();
  const now = route().params;
  for (const key of LINKED) if (now.has(key)) query.set(key, now.get(key));
  for (const [key, value] of Object.entries(params)) if (value !== null && value !== undefined) query.set(key, value);
  const text = query.toString();
  return `#/${view}${id === null ? "" : `/${id}`}${text ? `?${text}` : ""}`;
}

export function go(view, id = null, params = {}) {
  location.hash = link(view, id, params);
}

// Changes what is shown without a new entry in the history: a slider has many steps.
export function note(changes) {
  const { params } = route();
  for (const [key, value] of Object.entries(changes)) {
    if (value === null || value === undefined || value === "") params.delete(key);
    else params.set(key, value);
  }
  const text = params.toString();
  const path = location.hash.split("?")[0] || "#/plate/0";
  history.replaceState(null, "", `${path}${text ? `?${text}` : ""}`);
}
