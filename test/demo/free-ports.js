// free-ports.js COUNT: prints ports of this machine's loopback that nobody listens on.
import { once } from "node:events";
import { createServer } from "node:net";

const servers = Array.from({ length: Number(process.argv[2]) }, () => createServer().listen(0, "127.0.0.1"));
await Promise.all(servers.map((server) => once(server, "listening")));
process.stdout.write(`${servers.map((server) => server.address().port).join(" ")}\n`);
for (const server of servers) server.close();
