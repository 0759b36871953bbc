// Points on the graphics card: a hundred thousand are drawn anew at every frame of a pan, where the
// machine keeps up with that; else the last picture is moved, and drawn anew a few times a second.

const VERTEX = `
attribute vec2 place; attribute vec3 colour; attribute float size;
uniform vec2 scale, offset; uniform float ratio;
varying vec3 shade;
void main() { gl_Position = vec4(place * scale + offset, 0.0, 1.0); gl_PointSize = size * ratio; shade = colour; }`;
const FRAGMENT = `
precision mediump float; varying vec3 shade;
void main() { if (length(gl_PointCoord - 0.5) > 0.5) discard; gl_FragColor = vec4(shade, 1.0); }`;
const BUCKETS = 256;
const SLOW_MS = 12;
const REST_MS = 350;
const REDRAW_SHARE = 0.08;
const FILL = 0.94;

export class Points {
  constructor(canvas) {
    this.canvas = canvas;
    const gl = canvas.getContext("webgl", { antialias: false, alpha: false, depth: false });
    if (!gl) throw new Error("This browser has no WebGL: the map cannot be drawn.");
    this.gl = gl;
    const program = gl.createProgram();
    for (const [kind, text] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, text);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    gl.useProgram(program);
    this.at = Object.fromEntries(["scale", "offset", "ratio"].map((name) => [name, gl.getUniformLocation(program, name)]));
    this.buffers = {};
    for (const [name, count, type, normal] of [["place", 2, gl.FLOAT, false], ["colour", 3, gl.UNSIGNED_BYTE, true], ["size", 1, gl.FLOAT, false]]) {
      this.buffers[name] = gl.createBuffer();
      gl.bindBuffer(gl.ARRAY_BUFFER, this.buffers[name]);
      const place = gl.getAttribLocation(program, name);
      gl.enableVertexAttribArray(place);
      gl.vertexAttribPointer(place, count, type, normal, 0, 0);
    }
    this.n = 0;
    this.camera = { x: 0, y: 0, zoom: 1 };
    this.shown = { x: 0, y: 0, zoom: 1 };
    this.cost = 0;
  }

  // Places in the map's own axes; they are brought into -1 to 1 with one scale an axis.
  setPlaces(x, y) {
    const ends = (values) => {
      let low = Infinity; let high = -Infinity;
      for (const value of values) { if (value < low) low = value; if (value > high) high = value; }
      return [low, high > low ? high - low : 1];
    };
    [this.x0, this.xSpan] = ends(x);
    [this.y0, this.ySpan] = ends(y);
    this.n = x.length;
    this.places = new Float32Array(2 * this.n);
    for (let i = 0; i < this.n; i += 1) {
      this.places[2 * i] = (2 * (x[i] - this.x0)) / this.xSpan - 1;
      this.places[2 * i + 1] = (2 * (y[i] - this.y0)) / this.ySpan - 1;
    }
    this.shuffle();
    this.fill("place", this.drawn(this.places, 2));
    this.sort();
  }

  setColours(colours) { this.fill("colour", this.drawn(colours, 3)); }

  setSizes(sizes) { this.fill("size", this.drawn(sizes, 1)); }

  // Drawn in an order by lot (always the same), so that no class lies on top of all others.
  shuffle() {
    this.lot = Uint32Array.from({ length: this.n }, (_, i) => i);
    let state = 1;
    for (let i = this.n - 1; i > 0; i -= 1) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      const j = state % (i + 1);
      [this.lot[i], this.lot[j]] = [this.lot[j], this.lot[i]];
    }
  }

  drawn(values, width) {
    const made = new values.constructor(values.length);
    for (let i = 0; i < this.n; i += 1) for (let c = 0; c < width; c += 1) made[width * i + c] = values[width * this.lot[i] + c];
    return made;
  }

  fill(name, data) {
    const { gl } = this;
    gl.bindBuffer(gl.ARRAY_BUFFER, this.buffers[name]);
    gl.bufferData(gl.ARRAY_BUFFER, data, gl.STATIC_DRAW);
  }

  // A grid of buckets, so that the point under the pointer is found among a few.
  sort() {
    const bucket = (v) => Math.min(BUCKETS - 1, Math.max(0, Math.floor(((v + 1) / 2) * BUCKETS)));
    this.starts = new Uint32Array(BUCKETS ** 2 + 1);
    const keys = new Uint32Array(this.n);
    for (let i = 0; i < this.n; i += 1) {
      keys[i] = bucket(this.places[2 * i + 1]) * BUCKETS + bucket(this.places[2 * i]);
      this.starts[keys[i] + 1] += 1;
    }
    for (let k = 0; k < BUCKETS ** 2; k += 1) this.starts[k + 1] += this.starts[k];
    const next = this.starts.slice();
    this.order = new Uint32Array(this.n);
    for (let i = 0; i < this.n; i += 1) { this.order[next[keys[i]]] = i; next[keys[i]] += 1; }
  }

  resize() {
    const ratio = Math.min(2, window.devicePixelRatio || 1);
    const [width, height] = [this.canvas.clientWidth, this.canvas.clientHeight];
    if (this.canvas.width !== Math.round(width * ratio) || this.canvas.height !== Math.round(height * ratio)) {
      this.canvas.width = Math.round(width * ratio);
      this.canvas.height = Math.round(height * ratio);
    }
    this.ratio = ratio;
  }

  drawMoving() {
    const since = performance.now() - this.drawn_at;
    if (this.cost < SLOW_MS || since > Math.max(REST_MS, this.cost / REDRAW_SHARE)) this.draw(); else this.move();
  }

  // At rest there is time to wait for the graphics card, and so to learn what a drawing costs.
  drawAtRest() {
    const start = performance.now();
    this.draw();
    this.gl.readPixels(0, 0, 1, 1, this.gl.RGBA, this.gl.UNSIGNED_BYTE, new Uint8Array(4));
    this.cost = performance.now() - start;
  }

  // The picture as it was drawn, put where it belongs now.
  move() {
    const { camera, shown, canvas } = this;
    const zoom = FILL * camera.zoom;
    const stretch = camera.zoom / shown.zoom;
    const x = ((1 - stretch + (shown.x - camera.x) * zoom) / 2) * canvas.clientWidth;
    const y = ((1 - stretch - (shown.y - camera.y) * zoom) / 2) * canvas.clientHeight;
    canvas.style.transform = `matrix(${stretch},0,0,${stretch},${x},${y})`;
  }

  draw() {
    const { gl, camera } = this;
    this.resize();
    gl.viewport(0, 0, this.canvas.width, this.canvas.height);
    gl.clearColor(0.063, 0.086, 0.114, 1);
    gl.clear(gl.COLOR_BUFFER_BIT);
    const zoom = FILL * camera.zoom;
    gl.uniform2f(this.at.scale, zoom, zoom);
    gl.uniform2f(this.at.offset, -camera.x * zoom, -camera.y * zoom);
    gl.uniform1f(this.at.ratio, this.ratio * Math.min(3, Math.max(1, camera.zoom ** 0.4)));
    gl.drawArrays(gl.POINTS, 0, this.n);
    this.canvas.style.transform = "";
    this.shown = { ...camera };
    this.drawn_at = performance.now();
  }

  // From a place on the canvas (CSS pixels) to -1 ... 1, and back.
  toPlace(px, py) {
    const zoom = FILL * this.camera.zoom;
    return [((2 * px) / this.canvas.clientWidth - 1) / zoom + this.camera.x, (1 - (2 * py) / this.canvas.clientHeight) / zoom + this.camera.y];
  }

  toCanvas(x, y) {
    const zoom = FILL * this.camera.zoom;
    return [(((x - this.camera.x) * zoom + 1) / 2) * this.canvas.clientWidth, ((1 - (y - this.camera.y) * zoom) / 2) * this.canvas.clientHeight];
  }

  toAxes([x, y]) { return [((x + 1) / 2) * this.xSpan + this.x0, ((y + 1) / 2) * this.ySpan + this.y0]; }

  fromAxes([x, y]) { return [(2 * (x - this.x0)) / this.xSpan - 1, (2 * (y - this.y0)) / this.ySpan - 1]; }

  nearest(px, py, radius = 10) {
    const [ax, ay] = this.toPlace(px - radius, py + radius);
    const [bx, by] = this.toPlace(px + radius, py - radius);
    const bucket = (v) => Math.min(BUCKETS - 1, Math.max(0, Math.floor(((v + 1) / 2) * BUCKETS)));
    let best = -1; let closest = radius ** 2;
    for (let row = bucket(ay); row <= bucket(by); row += 1) {
      const from = this.starts[row * BUCKETS + bucket(ax)];
      const to = this.starts[row * BUCKETS + bucket(bx) + 1];
      for (let k = from; k < to; k += 1) {
        const i = this.order[k];
        const [qx, qy] = this.toCanvas(this.places[2 * i], this.places[2 * i + 1]);
        const away = (qx - px) ** 2 + (qy - py) ** 2;
        if (away <= closest) { closest = away; best = i; }
      }
    }
    return best;
  }

  zoomAt(px, py, factor) {
    const before = this.toPlace(px, py);
    this.camera.zoom = Math.max(0.5, Math.min(200, this.camera.zoom * factor));
    const after = this.toPlace(px, py);
    this.camera.x += before[0] - after[0];
    this.camera.y += before[1] - after[1];
  }
}
