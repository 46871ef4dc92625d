import type { Store } from "../../ports/store.ts";
import { verify as verifyStored, type VerifyResult } from "../../usecases/verify.ts";
import { wholeCopies } from "../../usecases/whole-copies.ts";
import { verifyMetrics } from "../metrics.ts";
import { openProgress } from "../open-progress.ts";
import { verifyComplaints, verifyJson, verifyLines, wholeCopyLines } from "../render-verify.ts";
import { verifyLevel } from "../requests.ts";
import { verifyStatus } from "../result-status.ts";
import type { RunCommand, Session } from "../session.ts";
import { showVerify } from "../verify-progress.ts";
import { wireReading } from "../wiring/encryption.ts";
import { wireRepository } from "../wiring/repository.ts";

/** Every target is looked at by itself: a copy nobody verified is no copy. What is damaged at one and whole at another is told. */
export const verify: RunCommand = async (session) => {
  const { settings, output } = session;
  const { json, quiet } = output.options;
  const looked = [];
  const read = await readingOf(session);
  for (const target of settings.target)
    looked.push({ target, result: await verifyTarget(session, target, read) });
  session.measured(verifyMetrics(looked.map(({ result }) => result)));
  const whole = wholeCopies(looked);
  const status = verifyStatus(looked.flatMap(({ result }) => result.findings));
  if (json) {
    await output.printJson({
      status,
      targets: looked.map(({ target, result }) => ({ target, ...verifyJson(result) })),
      wholeCopies: whole,
    });
  } else if (quiet) {
    const found = looked.flatMap(({ result }) => verifyComplaints(result, output.paintNote));
    output.complain([...found, ...wholeCopyLines(whole)]);
  } else {
    const lines = looked.flatMap(({ target, result }) => verifyLines(result, target, output.paint));
    await output.printLines([...lines, ...wholeCopyLines(whole)]);
  }
  return status;
};

type Read = (store: Store) => Store;

/** Without keys encrypted files can be compared as they are stored. */
async function readingOf(session: Session): Promise<Read> {
  const reading = await wireReading(session);
  const { kind } = verifyLevel(session.settings);
  const asStored = reading.keyless && (kind === "quick" || kind === "checksums");
  return (store) => (asStored ? store : reading.of(store));
}

async function verifyTarget(session: Session, target: string, read: Read): Promise<VerifyResult> {
  const { settings, output, signal, argument } = session;
  using progress = await openProgress(output, { unit: "bytes", parallel: 1 }, signal);
  await using repository = await wireRepository(session, [target], () => undefined, read);
  const report = showVerify(progress);
  const deps = { store: repository.store, codec: repository.codec, random: Math.random, report };
  return await verifyStored(deps, { backup: argument, level: verifyLevel(settings) }, signal);
}
