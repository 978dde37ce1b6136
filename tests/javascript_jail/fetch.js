// Does what the lines of its argument say, as a function would, and prints what became of each.
await fetch("data:,"); // from here on fetch knows the guard
for (const name of Object.keys(Deno.env.toObject())) Deno.env.delete(name);
const acts = {
  async fetch(url, options = {}) {
    if (options.size) options.body = "y".repeat(options.size);
    const response = await fetch(url, { ...options, signal: AbortSignal.timeout(10_000) });
    return { status: response.status, body: await response.text(), by: response.headers.get("proxy-status") };
  },
  async connect(hostname, port) {
    (await Deno.connect({ hostname, port })).close();
    return "connected";
  },
  async node(host, port) {
    const socket = (await import("node:net")).connect(port, host);
    await new Promise((resolve, reject) => socket.on("connect", resolve).on("error", reject));
    socket.destroy();
    return "connected";
  },
  async resolve(name) {
    return await Deno.resolveDns(name, "A");
  },
  async lookup(name) {
    return await (await import("node:dns/promises")).lookup(name);
  },
  async udp(host, port) {
    const socket = (await import("node:dgram")).createSocket("udp4");
    await new Promise((resolve, reject) => socket.on("error", reject).send("x", port, host, (e) => e ? reject(e) : resolve()));
    return "sent";
  },
  async raw(hostname, port, text) {
    const connection = await Deno.connect({ hostname, port });
    await connection.write(new TextEncoder().encode(text));
    const said = await new Response(connection.readable).text();
    return said;
  },
  // So many connections at one time, each with a request and the first words of the answer.
  async many(count, hostname, port, text) {
    const connections = [], answers = [];
    for (let i = 0; i < count; i++) {
      const connection = await Deno.connect({ hostname, port });
      await connection.write(new TextEncoder().encode(text));
      const said = new Uint8Array(12);
      await connection.read(said);
      connections.push(connection);
      answers.push(new TextDecoder().decode(said));
    }
    connections.forEach((connection) => connection.close());
    return answers;
  },
  websocket(url) {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(url);
      socket.onopen = () => resolve("open");
      socket.onerror = (event) => reject(event.error ?? new Error(event.message));
    });
  },
};
for (const [act, ...args] of JSON.parse(Deno.args[0])) {
  let met;
  try {
    met = await acts[act](...args);
  } catch (error) {
    met = { error: error.name, message: error.message, cause: error.cause?.message ?? "" };
  }
  console.error(JSON.stringify(met));
}
Deno.exit(0);
