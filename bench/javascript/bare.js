// What is left of a host when nothing is done for the function: Deno.serve on a socket, and the handler.
const [socket] = Deno.args;
const encoder = new TextEncoder();
let handler;

async function load(request) {
  const { main } = JSON.parse(request.headers.get("x-shoal"));
  handler = (await import(main)).default;
  const start = (stream) => stream.enqueue(encoder.encode('{"ready":true}\n'));
  return new Response(new ReadableStream({ start }));
}

Deno.serve({
  path: socket,
  onListen: () => void Deno.stderr.writeSync(encoder.encode('{"listening":true}\n')),
}, (request) => handler ? handler(request) : load(request));
