import { show as showBackup } from "../../usecases/show.ts";
import { DONE } from "../exit-status.ts";
import { Fallbacks } from "../fallbacks.ts";
import { backupDetails, backupDetailsJson } from "../render-repository.ts";
import type { RunCommand } from "../session.ts";
import { wireCopies } from "../wiring/targets.ts";

export const show: RunCommand = async ({ settings, output, signal, argument }) => {
  const fallbacks = new Fallbacks();
  const store = await wireCopies(settings.target, fallbacks.add);
  const shown = await showBackup({ store }, { backup: argument ?? "latest" }, signal).finally(() =>
    fallbacks.warn(output),
  );
  if (output.options.json) await output.printJson(backupDetailsJson(shown));
  else await output.printLines(backupDetails(shown, output.paint));
  return DONE;
};
