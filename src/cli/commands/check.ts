import { check as checkQueues } from "../../usecases/check.ts";
import { checkLines, verdictJson } from "../render-check.ts";
import { surveyRequest } from "../requests.ts";
import { checkStatus } from "../result-status.ts";
import type { RunCommand, Session } from "../session.ts";
import { listSettings } from "../settings-listing.ts";
import { formatTable, visible } from "../terminal-text.ts";
import { wireCheck } from "../wiring/broker.ts";

export const check: RunCommand = async (session) => {
  if (session.settings.printSettings) return printSettings(session);
  const { output, settings, signal } = session;
  await using wired = await wireCheck(session);
  const result = await checkQueues(wired.deps, surveyRequest(settings, wired.access), signal);
  const status = checkStatus(result);
  const { broker, management, unknown, queues } = result;
  if (output.options.json) {
    await output.printJson({ status, broker, management, queues: queues.map(verdictJson), unknown });
  } else {
    await output.printLines(checkLines(result, output.paint));
  }
  return status;
};

async function printSettings({ output, raw }: Session): Promise<number> {
  const listed = listSettings(raw);
  if (output.options.json) {
    await output.printJson(
      Object.fromEntries(listed.map(({ name, value, origin }) => [name, { value, origin }])),
    );
    return 0;
  }
  const shown = (value: string | readonly string[] | null): string =>
    value === null ? "-" : visible(typeof value === "string" ? value : value.join(", "));
  const [title = "", ...lines] = formatTable(
    [{ title: "SETTING" }, { title: "VALUE" }, { title: "FROM" }],
    listed.map(({ name, value, origin }) => [name, shown(value), visible(origin ?? "")]),
  );
  await output.printLines([output.paint(title, "dim"), ...lines]);
  return 0;
}
