import { parentPort, workerData } from "node:worker_threads";
import { inlineCodec } from "./inline-codec.ts";
import { sendError, toTransfer } from "./seal-job.ts";
import type { SealAnswer, SealJob } from "./seal-job.ts";

// The file a sealing thread runs; `threadedCodec` starts it and speaks with it.
const { level }: { level: number } = workerData;
const codec = inlineCodec({ level });

parentPort?.on("message", (job: SealJob) => {
  void run(job).then(({ answer, transfer }) => parentPort?.postMessage(answer, transfer));
});

async function run(job: SealJob): Promise<{ answer: SealAnswer; transfer: ArrayBuffer[] }> {
  try {
    if (job.kind === "open") {
      const opened = toTransfer(await codec.open(job.frames, job.expected));
      return { answer: { opened }, transfer: [opened.buffer] };
    }
    const sealed = await codec[job.kind](job.segment);
    const headerFrames = toTransfer(sealed.headerFrames);
    const frames = toTransfer(sealed.frames);
    const fingerprints = toTransfer(sealed.fingerprints);
    return {
      answer: { sealed: { ...sealed, headerFrames, frames, fingerprints } },
      transfer: [headerFrames.buffer, frames.buffer, fingerprints.buffer],
    };
  } catch (error) {
    return { answer: { failed: sendError(error) }, transfer: [] };
  }
}
