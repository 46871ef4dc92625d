import { show as showBackup } from "../../usecases/show.ts";
import { DONE } from "../exit-status.ts";
import { backupDetails } from "../render-repository.ts";
import type { RunCommand } from "../session.ts";
import { wireRepository } from "../wiring.ts";

export const show: RunCommand = async (session) => {
  const { settings, output, signal, argument } = session;
  await using repository = await wireRepository(session, settings.target[0] ?? ".");
  const manifest = await showBackup(repository, { backup: argument ?? "latest" }, signal);
  if (output.options.json) await output.printJson(manifest);
  else await output.printLines(backupDetails(manifest, output.paint));
  return DONE;
};
