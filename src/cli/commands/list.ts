import { list as listBackups } from "../../usecases/list.ts";
import { listingJson, listingLines } from "../render-listing.ts";
import { listStatus } from "../result-status.ts";
import type { RunCommand } from "../session.ts";
import { wireStores } from "../wiring/targets.ts";

export const list: RunCommand = async ({ settings, output, signal }) => {
  const [store] = await wireStores(settings.target);
  const listing = await listBackups({ store }, { set: settings.set }, signal);
  const now = new Date();
  if (output.options.json) await output.printJson(listingJson(listing, now));
  else await output.printLines(listingLines(listing, now, output.paint));
  return listStatus(listing);
};
