// Runs with all of Deno's permissions, and its way to the C library: as if Deno's own wall were broken. Prints what each
// attack met: "done", or the error.
const { parent, folder, abstract, numbers, tcp } = JSON.parse(Deno.args[0]);
const found = {};
async function attack(name, act) {
  try {
    const made = await act();
    found[name] = made === undefined ? "done" : `done: ${made}`;
  } catch (error) {
    found[name] = `${error.name}: ${error.message}`;
  }
}
const node = (name) => import(`node:${name}`);
const once = (emitter, good) =>
  new Promise((resolve, reject) => emitter.on(good, () => resolve()).on("error", reject));

await attack("read a file", () => void Deno.readTextFileSync("/etc/passwd"));
await attack("list the root", () => void [...Deno.readDirSync("/")]);
await attack("list processes", () => void [...Deno.readDirSync("/proc")]);
await attack("read the environment of the executor", () => void Deno.readFileSync(`/proc/${parent}/environ`));
await attack("make a file", () => Deno.writeTextFileSync(`${folder}/../made`, ""));
await attack("change its own code", () => Deno.writeTextFileSync(import.meta.filename, "x", { append: true }));
await attack("fill a file", () => Deno.writeTextFileSync(`${folder}/large`, "x".repeat(100)));
await attack("keep something in localStorage", () => localStorage.setItem("secret", "of one function"));
await attack("keep something in a cache", async () => {
  await (await caches.open("c")).put("http://own/", new Response("of one function"));
});
await attack("run a program", () => new Deno.Command("/bin/true").spawn().status.then(() => undefined));
await attack("run itself", () => new Deno.Command(Deno.execPath(), { args: ["--version"] }).spawn().status.then(() => undefined));
await attack("connect by TCP", async () => (await Deno.connect({ hostname: "127.0.0.1", port: tcp })).close());
await attack("listen by TCP", () => Deno.listen({ hostname: "127.0.0.1", port: 0 }).close());
await attack("send by UDP", async () => {
  const socket = (await node("dgram")).createSocket("udp4");
  const sent = once(socket, "listening");
  socket.bind(0, "127.0.0.1");
  await sent;
  socket.close();
});
await attack("open very many files", () => {
  const open = [];
  try {
    for (let i = 0; i < 1000; i++) open.push(Deno.openSync("/dev/null"));
  } finally {
    open.forEach((file) => file.close());
  }
});
await attack("signal the executor", () => Deno.kill(parent, "SIGCONT"));

// Raw calls: each would do something, or fail in another way, if it were not refused. EPERM is 1, ENOSYS 38.
const { symbols: c } = Deno.dlopen("libc.so.6", {
  syscall: { parameters: ["i64", "i64", "i64", "i64", "i64", "i64"], result: "i64" },
  __errno_location: { parameters: [], result: "pointer" },
});
function errno() {
  return new Deno.UnsafePointerView(c.__errno_location()).getInt32();
}
function raw(name, ...args) {
  const padded = [...args, 0, 0, 0, 0, 0].slice(0, 5).map(BigInt);
  const result = Number(c.syscall(BigInt(numbers[name]), ...padded));
  return result < 0 ? `errno ${errno()}` : "done";
}
const NEW_USER = 0x10000000, THREAD = 0x10000, SIGHAND = 0x800;
found["raw ptrace"] = raw("ptrace", 99, parent);
found["raw process_vm_readv"] = raw("process_vm_readv", Deno.pid, 0, 0, 0, 0);
found["raw unshare"] = raw("unshare", NEW_USER | 0x40); // an unknown flag: EINVAL
found["raw setns"] = raw("setns", -1, 0);
found["raw personality"] = raw("personality", 0xffffffff);
found["raw keyctl"] = raw("keyctl", 0, -3, 0);
found["raw add_key"] = raw("add_key", 0, 0, 0, 0, -3);
found["raw io_uring_setup"] = raw("io_uring_setup", 1, 0);
found["raw perf_event_open"] = raw("perf_event_open", 0, 0, -1, -1, 0);
found["raw pidfd_open"] = raw("pidfd_open", Deno.pid, 0);
found["raw pidfd_getfd"] = raw("pidfd_getfd", -1, 0, 0);
found["raw shmget"] = raw("shmget", 0, 4096, 0o600);
found["raw kill"] = raw("kill", 0x7ffffffe, 0);
found["raw clone of a process"] = raw("clone", SIGHAND);
found["raw clone of a namespace"] = raw("clone", THREAD | NEW_USER);
found["raw socket of netlink"] = raw("socket", 16, 3, 0);
found["raw socket of another kind"] = raw("socket", 2, 2, 0);
found["raw prlimit64"] = raw("prlimit64", parent, 7, 0, 0);
await attack("be another user", () => {
  const met = raw("setresuid", 12345, 12345, 12345);
  if (met !== "done") throw new Error(met);
});

await attack("connect to an abstract socket", async () => {
  const net = await node("net");
  const socket = net.connect({ path: `\0${abstract}` });
  await once(socket, "connect");
  socket.destroy();
});
await attack("start a thread", () => new Promise((resolve) => {
  const worker = new Worker("data:application/javascript,postMessage(1)", { type: "module" });
  worker.onmessage = () => resolve();
}));
await attack("connect to a socket that has a path", async () => {
  const socket = (await node("net")).connect({ path: `${folder}/../others` });
  await once(socket, "connect");
  socket.destroy();
});
found.facts = { env: Object.keys(Deno.env.toObject()), uid: Deno.uid() };
Deno.serve({ path: `${folder}/socket`, onListen: () => console.error("listening") }, () => Response.json(found));
