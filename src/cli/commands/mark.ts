import { mark as markBackup } from "../../usecases/mark.ts";
import { DONE } from "../exit-status.ts";
import { markJson, markLines } from "../render-mark.ts";
import type { RunCommand, Session } from "../session.ts";
import { wireStores } from "../wiring/targets.ts";

export const mark: RunCommand = async (session) => setMark(session, true);

export const unmark: RunCommand = async (session) => setMark(session, false);

async function setMark(session: Session, marked: boolean): Promise<number> {
  const { settings, output, signal, argument } = session;
  const deps = { stores: await wireStores(settings.target), now: () => new Date() };
  const result = await markBackup(deps, { backup: argument ?? "latest", marked }, signal);
  const { json, quiet } = output.options;
  if (json) await output.printJson(markJson(result, marked, DONE));
  else if (!quiet) await output.printLines(markLines(result, marked));
  return DONE;
}
