import { chmod, readFile, writeFile } from "node:fs/promises";
import path from "node:path";

/** A byte of a file becomes another one; by default that in the middle. */
export async function flipByte(file: string, at?: number): Promise<void> {
  const bytes = await readFile(file);
  const place = at ?? bytes.length >> 1;
  bytes.writeUInt8(bytes.readUInt8(place) ^ 1, place);
  await chmod(file, 0o600);
  await writeFile(file, bytes);
}

/** In the first segment of the first queue of a backup; gives the key of the volume. */
export async function flipInSegment(target: string, id: string): Promise<string> {
  const folder = path.join(target, "backups", id);
  const manifest = JSON.parse(await readFile(path.join(folder, "manifest.json"), "utf8"));
  const { volume, offset, length } = manifest.queues[0].segments[0];
  const { name } = manifest.volumes[volume - 1];
  await flipByte(path.join(folder, name), offset + (length >> 1));
  return `backups/${id}/${name}`;
}
