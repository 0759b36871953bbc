// Questions to the server that sent this page, and to no other.

async function failure(answer) {
  let text = `The server answered ${answer.status}.`;
  try {
    const { detail } = await answer.json();
    if (typeof detail === "string") text = detail;
  } catch { /* an answer without a sentence */ }
  return new Error(text);
}

export async function json(path, signal) {
  const answer = await fetch(path, { signal });
  if (!answer.ok) throw await failure(answer);
  return answer.json();
}

export async function post(path, content) {
  const answer = await fetch(path, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(content),
  });
  if (!answer.ok) throw await failure(answer);
  return answer.json();
}

const KINDS = { "<f4": Float32Array, "<i4": Int32Array, "<u1": Uint8Array };

// A line of JSON about arrays, then the arrays as they lie in memory: see framing.py.
export async function framed(path, signal) {
  const answer = await fetch(path, { signal });
  if (!answer.ok) throw await failure(answer);
  const data = await answer.arrayBuffer();
  const length = new DataView(data).getUint32(0, true);
  const facts = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length)));
  const arrays = {};
  for (const { name, type, shape, at } of facts.arrays) {
    const size = shape.reduce((a, b) => a * b, 1);
    arrays[name] = Object.assign(new KINDS[type](data, 4 + length + at, size), { shape });
  }
  return { facts, arrays };
}

// Asks again until work that the server does beside is done.
export async function finished(path, signal, report = () => {}) {
  for (;;) {
    const found = await framed(path, signal);
    if (found.facts.working === undefined) return found;
    report(found.facts.working);
    await new Promise((resolve) => setTimeout(resolve, 400));
    signal?.throwIfAborted();
  }
}
