// The host of one function version: answers calls on a Unix socket by handing them to the function's handler.
//
// Every request's line of control is JSON in its x-shoal header: {op: "init"} comes first, with the environment, and its
// answer is the stream of lines by which the function asks the platform something; {op: "reply"} answers one of these;
// {op: "wait"} is answered when what a call has handed to waitUntil has settled; any other one is a call.
// The function shares this process and may break all of it: the other side believes nothing that comes from here.
import { AsyncLocalStorage } from "node:async_hooks";

const [socket, reaches] = Deno.args;
const MARK = "x-shoal";
const MOST_SAID = 16384; // characters of an error
const MOST_PUBLISHED = 65536; // bytes of JSON, as in the executor
const MOST_NAMED = 1000; // characters of the names in it: too many are refused there
const LINE_BYTES = 32; // what a line costs beside its message, as in the executor
const BODIES = [ReadableStream, Blob, ArrayBuffer, FormData, URLSearchParams];
// Loaded when it is first wanted: to import it takes a quarter of the start. A function may put its own in its place.
const processOf = Object.getOwnPropertyDescriptor(globalThis, "process").get;
const calls = new AsyncLocalStorage();
const encoder = new TextEncoder();
const asked = new Map(); // what the function waits for, by number
let asks = 0;
const places = new WeakMap(); // the public address of each request
const NativeRequest = Request;
let control, handler, current, environment;

function write(line) {
  let rest = encoder.encode(JSON.stringify(line) + "\n");
  while (rest.length) rest = rest.subarray(Deno.stderr.writeSync(rest));
}

function text(args) {
  if (args.length === 1 && typeof args[0] === "string") return args[0];
  return processOf.call(globalThis).getBuiltinModule("node:util").format(...args);
}

function log(level, args) {
  const call = calls.getStore() ?? current;
  if (!call) return;
  const message = text(args).toWellFormed();
  const cost = LINE_BYTES + encoder.encode(message).length;
  const lost = call.lines >= call.mostLines ? "many" : cost > call.room ? "large" : "";
  if (!lost) {
    call.lines++;
    call.room -= cost;
    return write({ level, ts: Date.now() / 1000, req: call.id, message });
  }
  if (!call[lost]++) write({ req: call.id, many: call.many, large: call.large }); // said now, as there may be no end
}

const LEVELS = { log: "log", info: "info", dir: "log", table: "log", warn: "warning", error: "error", debug: "debug" };
for (const [name, level] of Object.entries(LEVELS)) console[name] = (...args) => log(level, args);
console.trace = (...args) => log("debug", [new Error(text(args)).stack.replace(/^Error/, "Trace")]);
console.assert = (held, ...args) => held || log("error", ["Assertion failed", ...args]);

function opened(head) {
  if (current?.id === head.id) return current; // the call for which the code was loaded: its lines count together
  return { id: head.id, mostLines: head.lines, lines: 0, room: head.output, many: 0, large: 0, waiting: [] };
}

// Ask the platform something on behalf of a call: resolves to what it says.
function ask(call, what) {
  const answer = Promise.withResolvers();
  asked.set(++asks, answer);
  control.enqueue(encoder.encode(JSON.stringify({ id: asks, req: call.id, ...what }) + "\n"));
  return answer.promise;
}

async function invoke(call, name, body, options = {}) {
  const json = body !== undefined && typeof body !== "string" && !ArrayBuffer.isView(body) &&
    !BODIES.some((kind) => body instanceof kind);
  const sent = new Response(json ? JSON.stringify(body) : body);
  const headers = new Headers(options.headers);
  const type = json ? "application/json" : sent.headers.get("content-type");
  if (type && !headers.has("content-type")) headers.set("content-type", type);
  const { method = "POST", path = "/", query = "" } = options;
  const bytes = (await sent.bytes()).toBase64();
  return ask(call, { op: "invoke", name: String(name), method, path, query, headers: [...headers], body: bytes });
}

// Push to a channel. A call's go one after the other: in their order, and as many at once as the handler likes.
async function publish(call, channel, payload, { event = "" } = {}) {
  const body = JSON.stringify(payload) ?? "null";
  const size = encoder.encode(body).length;
  if (size > MOST_PUBLISHED) throw new RangeError(`the payload has ${size} bytes, over the limit of ${MOST_PUBLISHED}`);
  const [name, what] = [channel, event].map((text) => String(text).toWellFormed().slice(0, MOST_NAMED));
  const before = Promise.resolve(call.published).catch(() => {});
  await (call.published = before.then(() => ask(call, { op: "publish", channel: name, event: what, body })));
}

// A request as its handler is to see it: with its public address, and without our header. To make another one of it
// costs more than all the rest of a call, so that is left for when it is used to make others.
function seen(request, head) {
  const { method, url } = head;
  if (!method) return places.set(request, { url, headers: null }) && request;
  return clean(new NativeRequest(url, { method, headers: headersOf(request), body: request.body, duplex: "half" }));
}

function clean(request) {
  request.headers.delete(MARK);
  return request;
}

const proto = NativeRequest.prototype;
const getter = (name) => Function.prototype.call.bind(Object.getOwnPropertyDescriptor(proto, name).get);
const urlOf = getter("url"), headersOf = getter("headers"), cloneOf = Function.prototype.call.bind(proto.clone);
const copied = (input) => places.has(input) ? clean(new NativeRequest(places.get(input).url, input)) : input;
Object.defineProperties(proto, {
  url: { get() { return places.get(this)?.url ?? urlOf(this); } },
  headers: {
    get() {
      const place = places.get(this);
      return place ? place.headers ??= clean({ headers: new Headers(headersOf(this)) }).headers : headersOf(this);
    },
  },
  clone: { value() { return places.has(this) ? clean(new NativeRequest(this.url, cloneOf(this))) : cloneOf(this); } },
});
globalThis.Request = new Proxy(NativeRequest, {
  construct: (target, [input, ...init], made) => Reflect.construct(target, [copied(input), ...init], made),
});
const nativeFetch = fetch;
globalThis.fetch = (input, ...init) => nativeFetch(copied(input), ...init);

function context(call, head) {
  return {
    ...head.ctx,
    env: environment,
    invoke: (name, body, options) => invoke(call, name, body, options),
    publish: (channel, payload, options) => publish(call, channel, payload, options),
    waitUntil: (promise) => void call.waiting.push(Promise.resolve(promise).catch((error) => log("error", [error]))),
    idempotency: {
      claim: async (key, { scope = "default", ttlSeconds = 86400 } = {}) =>
        (await ask(call, { op: "claim", key: String(key), scope: String(scope), ttl_s: Number(ttlSeconds) })).json(),
    },
  };
}

function response(value) {
  if (value instanceof Response) {
    if (value.type === "error") throw new TypeError("the handler returned Response.error()");
    if (value.bodyUsed) throw new TypeError("the handler returned a Response whose body has been read");
    return value;
  }
  if (ArrayBuffer.isView(value) || BODIES.some((kind) => value instanceof kind)) return new Response(value);
  return Response.json(value ?? null);
}

function failed(error) {
  let told = { name: "Error", message: "", stack: "" };
  try {
    const own = error instanceof Error || error instanceof DOMException;
    const [name, message, stack] = own ? [error.name, error.message, error.stack] : ["Error", text([error]), ""];
    told = { name: `${name}`, message: `${message}`.slice(0, MOST_SAID), stack: `${stack}`.slice(-MOST_SAID) };
  } catch { /* an error that cannot even be looked at */ }
  return Response.json(told, { status: 500, headers: { [MARK]: "failed" } });
}

async function answer(head, request) {
  const call = current = opened(head);
  try {
    const made = response(await calls.run(call, handler, seen(request, head), context(call, head)));
    if (call.many || call.large) write({ req: call.id, many: call.many, large: call.large });
    if (!call.waiting.length) return made;
    const { status, statusText } = made;
    const headers = new Headers(made.headers);
    headers.set(MARK, "waiting");
    return new Response(made.body, { status, statusText, headers });
  } catch (error) {
    return failed(error);
  }
}

// A call whose head is too large for one: it comes before the body.
async function large({ bytes }, request) {
  const whole = await request.bytes();
  const head = JSON.parse(new TextDecoder().decode(whole.subarray(0, bytes)));
  const { verb: method, headers } = head;
  const body = whole.length > bytes ? whole.subarray(bytes) : null;
  return answer(head, new NativeRequest(head.url, { method, headers, body }));
}

async function load(main) {
  for (const name of reaches ? ["write"] : ["net", "write"]) await Deno.permissions.revoke({ name });
  await Deno.permissions.revoke({ name: "read", path: socket });
  for (const name of ["localStorage", "sessionStorage", "caches", "Worker"]) delete globalThis[name];
  delete Object.getPrototypeOf(navigator).gpu;
  const { default: made } = await import(main);
  await Deno.permissions.revoke({ name: "read" });
  handler = typeof made === "function" ? made : made?.fetch?.bind(made);
  if (!handler) throw new TypeError("Function must export a handler function");
}

async function init(head, request) {
  if (reaches) await nativeFetch("data:,"); // the first one reads where the way out is; then that can be forgotten
  for (const name of Object.keys(Deno.env.toObject())) Deno.env.delete(name);
  for (const [name, value] of Object.entries(await request.json())) Deno.env.set(name, value);
  environment = Object.freeze({ ...Deno.env.toObject() });
  current = opened(head);
  const start = async (stream) => {
    control = stream;
    const end = await calls.run(current, load, head.main).then(() => new Response("{}"), failed);
    stream.enqueue(encoder.encode(JSON.stringify({ ready: true, ...await end.json() }) + "\n"));
  };
  return new Response(new ReadableStream({ start: (stream) => void start(stream), cancel: () => Deno.exit() }));
}

async function reply(head, request) {
  const waiting = asked.get(head.id);
  asked.delete(head.id);
  const bytes = await request.bytes();
  try {
    if (head.error) throw Object.assign(new Error(head.error.message), { name: head.error.name });
    // No body, and not an empty one: some statuses can have none.
    waiting?.resolve(new Response(bytes.length ? bytes : null, { status: head.status, headers: head.headers }));
  } catch (error) {
    waiting?.reject(error);
  }
  return new Response();
}

async function wait() {
  for (const promise of current.waiting) await promise; // grows while it is gone through, if more is handed in
  return new Response();
}

addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  log("error", ["Uncaught (in promise)", event.reason]);
});
addEventListener("error", (event) => {
  event.preventDefault();
  log("error", ["Uncaught", event.error]);
});

const OPS = { init, large, reply, wait };
Deno.serve({
  path: socket,
  onListen: () => write({ listening: true }),
  onError: failed,
}, (request) => {
  const head = JSON.parse(headersOf(request).get(MARK));
  return (OPS[head.op] ?? answer)(head, request);
});
