import { parentPort, workerData } from "node:worker_threads";
import { openFrames, sealer } from "./inline-codec.ts";
import { fingerprintsOf } from "./sha256.ts";
import { sendError, toTransfer } from "./seal-job.ts";
import type { SealAnswer, SealJob } from "./seal-job.ts";

// The file a sealing thread runs; `threadedCodec` starts it and speaks with it.
const { level }: { level: number } = workerData;
const seal = sealer(level);

parentPort?.on("message", (job: SealJob) => {
  void run(job).then(({ answer, transfer }) => parentPort?.postMessage(answer, transfer));
});

async function run(job: SealJob): Promise<{ answer: SealAnswer; transfer: ArrayBuffer[] }> {
  try {
    if (job.kind === "open") {
      const opened = toTransfer(openFrames(job.frames, job.expected, job.memory));
      return { answer: { opened }, transfer: [opened.buffer] };
    }
    if (job.kind === "fingerprint") {
      const { padded } = job;
      const fingerprints = toTransfer(fingerprintsOf(padded.subarray(0, job.plainBytes)));
      return { answer: { padded, fingerprints }, transfer: [padded.buffer, fingerprints.buffer] };
    }
    const sealed = await seal(job.kind, job.segment, job.memory);
    const headerFrames = toTransfer(sealed.headerFrames);
    const fingerprints = toTransfer(sealed.fingerprints);
    const plain = job.segment.padded.buffer;
    return {
      answer: { sealed: { ...sealed, headerFrames, fingerprints }, plain },
      transfer: [headerFrames.buffer, fingerprints.buffer, plain],
    };
  } catch (error) {
    return { answer: { failed: sendError(error) }, transfer: [] };
  }
}
