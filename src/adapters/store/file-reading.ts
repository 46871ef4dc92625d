import { closeSync, constants, fstatSync, open, read } from "node:fs";

/** An open file and how long it was then. */
export interface ReadableFile extends Disposable {
  readonly isFile: boolean;
  readonly size: number;
  /** Fills `into` from `position` on as far as the file goes; resolves with how many bytes that were. */
  read(into: Uint8Array, position: number): Promise<number>;
}

/**
 * Opens a file for reading; a symbolic link is not followed (ELOOP). Thousands of small files are read one after another here: what
 * may wait for a disk or a server waits apart, and what the system knows of an open file is asked for at once, at a fraction of the cost.
 */
export async function openForReading(file: string): Promise<ReadableFile> {
  const fd = await new Promise<number>((resolve, reject) => {
    open(file, constants.O_RDONLY | constants.O_NOFOLLOW, (error, opened) =>
      error === null ? resolve(opened) : reject(error),
    );
  });
  try {
    const stats = fstatSync(fd);
    return {
      isFile: stats.isFile(),
      size: stats.size,
      read: async (into, position) => readAt(fd, into, position),
      [Symbol.dispose]: () => closeSync(fd),
    };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

async function readAt(fd: number, into: Uint8Array, position: number): Promise<number> {
  return new Promise<number>((resolve, reject) => {
    read(fd, into, 0, into.length, position, (error, bytesRead) =>
      error === null ? resolve(bytesRead) : reject(error),
    );
  });
}
