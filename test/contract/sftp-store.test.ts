import { mkdir } from "node:fs/promises";
import { afterAll, beforeAll, describe } from "vitest";
import { sftpStore } from "../../src/adapters/store/sftp-store.ts";
import { parseSftpLocation } from "../../src/domain/sftp-location.ts";
import { NO_SSHD, startSftpServer, type SftpServer } from "../lab/sftp-server.ts";
import { tempDirectory } from "../lab/temp.ts";
import { storeContract } from "./store-suite.ts";

describe.skipIf(NO_SSHD !== null)(`SFTP${NO_SSHD === null ? "" : ` (${NO_SSHD})`}`, () => {
  let server: SftpServer;
  beforeAll(async () => {
    server = await startSftpServer();
  });
  afterAll(async () => server[Symbol.asyncDispose]());

  storeContract("SFTP store at OpenSSH", async () => {
    const directory = await tempDirectory();
    await mkdir(directory.join("base"));
    return {
      ...sftpStore(parseSftpLocation(server.target(directory.join("base")))),
      [Symbol.asyncDispose]: async () => directory[Symbol.asyncDispose](),
    };
  });
});
