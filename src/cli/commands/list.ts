import { list as listBackups } from "../../usecases/list.ts";
import { listingJson, listingLines } from "../render-repository.ts";
import { listStatus } from "../result-status.ts";
import type { RunCommand } from "../session.ts";
import { wireRepository } from "../wiring.ts";

export const list: RunCommand = async (session) => {
  const { settings, output, signal } = session;
  await using repository = await wireRepository(session, settings.target[0] ?? ".");
  const listing = await listBackups(repository, { set: settings.set }, signal);
  if (output.options.json) await output.printJson(listingJson(listing));
  else await output.printLines(listingLines(listing, output.paint));
  return listStatus(listing);
};
