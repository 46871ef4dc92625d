import { Buffer } from "node:buffer";
import { randomBytes, randomInt } from "node:crypto";
import { dirname, join } from "node:path/posix";
import type { ObjectBody } from "../../ports/store.ts";
import { bodyParts } from "./body-parts.ts";
import { ownPrefix } from "./ownership.ts";
import { hasStatus, STATUS } from "./sftp-errors.ts";
import { makeFolders, pruneFolders, syncFolder } from "./sftp-folders.ts";
import { reasonOf, statOrNull } from "./sftp-looks.ts";
import { ConnectionLost, type CallOptions, type SftpSession } from "./sftp-session.ts";

/** On their way at once: with the one being filled, all that is in memory of an object. */
const WRITES_AT_ONCE = 32;
const WRITE_BYTES = 128 * 1024;

const PUBLISH_TRIES = 20;
/** What an aborted put may take to clean up: later runs do it too. */
const CLEANUP_MS = 2_000;

/** Where objects are written before they get their names. */
const INCOMING = ".incoming";

type PutOutcome = "put" | "exists";

type Opened = (temporary: string) => Promise<void>;

interface Upload {
  readonly base: string;
  /** Names below `base` that lead to the object, its own the last. */
  readonly parts: readonly string[];
  readonly body: ObjectBody;
  readonly ifAbsent: boolean;
  readonly signal: AbortSignal | undefined;
  readonly syncMs: number;
}

/** One put, over as many sessions as it takes: what was done stays done. */
export class SftpUpload {
  readonly #put: Upload;
  readonly #target: string;
  readonly #options: CallOptions;
  #temporary = "";
  #isStaged = false;
  /** It was asked for the name, and the answer was lost. */
  #mayBeNamed = false;
  #isNamed = false;

  constructor(put: Upload) {
    this.#put = put;
    this.#target = join(put.base, ...put.parts);
    this.#options = { signal: put.signal };
  }

  /** Goes on from where the last session broke off. `opened` is called with the temporary name before the first byte is written. */
  async attempt(session: SftpSession, opened: Opened): Promise<PutOutcome> {
    const { base, parts, ifAbsent } = this.#put;
    if (!this.#isStaged) {
      // What exists is refused before anything is sent; what counts is the link below.
      if (ifAbsent && (await statOrNull(session, this.#target, this.#options)) !== null) return "exists";
      await this.#forget(session);
      this.#temporary = join(base, INCOMING, `${ownPrefix()}${randomBytes(8).toString("hex")}`);
    }
    let isKept = false;
    try {
      if (!this.#isStaged) await this.#stage(session, opened);
      this.#isStaged = true;
      if (!this.#isNamed && !(await this.#named(session))) return "exists";
      this.#isNamed = true;
      await syncFolder(session, dirname(this.#target), this.#put.syncMs);
      return "put";
    } catch (error) {
      isKept = error instanceof ConnectionLost;
      if (isKept) throw error;
      const reason = await reasonOf(session, base, error);
      await pruneFolders(session, base, parts.slice(0, -1), { signal: AbortSignal.timeout(CLEANUP_MS) });
      throw reason;
    } finally {
      if (!isKept) await this.#forget(session);
    }
  }

  async #stage(session: SftpSession, opened: Opened): Promise<void> {
    const { body, syncMs, signal = new AbortController().signal } = this.#put;
    const handle = await this.#openNew(session);
    try {
      await opened(this.#temporary);
      const writes: Promise<void>[] = [];
      let at = 0;
      for await (const part of bodyParts(body, WRITE_BYTES, signal)) {
        const bytes = Buffer.from(part.buffer, part.byteOffset, part.length);
        const position = at;
        const write = session.call(
          (sftp, done) => sftp.write(handle, bytes, 0, bytes.length, position, done),
          this.#options,
        );
        write.catch(() => undefined); // whoever comes first tells
        writes.push(write);
        at += bytes.length;
        if (writes.length === WRITES_AT_ONCE) await writes.shift();
      }
      await Promise.all(writes);
      await session.call((sftp, done) => sftp.ext_openssh_fsync(handle, done), {
        ...this.#options,
        silenceMs: syncMs,
      });
    } catch (error) {
      session.call((sftp, done) => sftp.close(handle, done)).catch(() => undefined);
      throw error;
    }
    await session.call((sftp, done) => sftp.close(handle, done), this.#options);
  }

  async #openNew(session: SftpSession): Promise<Buffer> {
    const open = async (): Promise<Buffer> =>
      session.ask<Buffer>(
        (sftp, done) => sftp.open(this.#temporary, "wx", { mode: 0o600 }, done),
        this.#options,
      );
    try {
      return await open();
    } catch (error) {
      if (!hasStatus(error, STATUS.NO_SUCH_FILE)) throw error;
      await makeFolders(session, this.#put.base, [INCOMING], this.#put.syncMs);
      return open();
    }
  }

  /** False: something is there, and it is not ours. */
  async #named(session: SftpSession): Promise<boolean> {
    const { base, parts, ifAbsent, syncMs } = this.#put;
    for (let attempt = 1; ; attempt += 1) {
      try {
        if (ifAbsent) await this.#link(session);
        else await this.#rename(session);
        return true;
      } catch (error) {
        if (error instanceof ConnectionLost) this.#mayBeNamed = true;
        if (ifAbsent && hasStatus(error, STATUS.FAILURE, STATUS.PERMISSION_DENIED)) {
          if ((await statOrNull(session, this.#target, this.#options)) === null) throw error;
          return this.#mayBeNamed && (await this.#isOurs(session));
        }
        if (!hasStatus(error, STATUS.NO_SUCH_FILE) || attempt === PUBLISH_TRIES) throw error;
        // An earlier request did it after all: its temporary name is gone.
        if (!ifAbsent && this.#mayBeNamed && (await statOrNull(session, this.#temporary)) === null)
          return true;
      }
      // A delete at the same time may have removed the folder as an empty one.
      await makeFolders(session, base, parts.slice(0, -1), syncMs);
    }
  }

  async #link(session: SftpSession): Promise<void> {
    await session.call(
      (sftp, done) => sftp.ext_openssh_hardlink(this.#temporary, this.#target, done),
      this.#options,
    );
  }

  async #rename(session: SftpSession): Promise<void> {
    await session.call(
      (sftp, done) => sftp.ext_openssh_rename(this.#temporary, this.#target, done),
      this.#options,
    );
  }

  /** Whether both names are of one file, which nothing in SFTP tells: then what is set on one is seen on the other. */
  async #isOurs(session: SftpSession): Promise<boolean> {
    const stats = await statOrNull(session, this.#temporary, this.#options);
    if (stats === null) return false;
    // In the future: readers leave such a time of access alone.
    const accessed = stats.mtime + randomInt(50_000_000, 500_000_000);
    await session.call((sftp, done) => sftp.utimes(this.#temporary, accessed, stats.mtime, done));
    return (await statOrNull(session, this.#target, this.#options))?.atime === accessed;
  }

  /** Best effort: a later run removes what a dead one has left. */
  async #forget(session: SftpSession): Promise<void> {
    if (this.#temporary === "" || session.ended !== null) return;
    const signal = AbortSignal.timeout(CLEANUP_MS);
    await session.call((sftp, done) => sftp.unlink(this.#temporary, done), { signal }).catch(() => undefined);
  }
}
