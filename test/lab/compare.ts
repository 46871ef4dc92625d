/** The part of a message that is compared: both what was published and what was drained have it. */
interface HasBody {
  readonly body: Buffer;
  readonly rawProperties?: Buffer;
}

/**
 * Compares two runs of messages place by place: bodies, and raw properties where both sides have them. Resolves the
 * question in one short line (test runners need minutes to print how thousands of buffers differ), `undefined` when
 * they are the same: `expect(firstDifference(drained, filled)).toBeUndefined()`.
 */
export function firstDifference(
  actual: readonly HasBody[],
  expected: readonly HasBody[],
): string | undefined {
  for (const [i, want] of expected.entries()) {
    const have = actual[i];
    if (have === undefined) return `message ${i} of ${expected.length} is missing: ${preview(want)}`;
    if (!have.body.equals(want.body)) return `message ${i} is ${preview(have)} instead of ${preview(want)}`;
    if (have.rawProperties && want.rawProperties && !have.rawProperties.equals(want.rawProperties)) {
      const [is, was] = [have.rawProperties.toString("hex"), want.rawProperties.toString("hex")];
      return `properties of message ${i} are ${is} instead of ${was}`;
    }
  }
  const extra = actual[expected.length];
  return extra && `${actual.length - expected.length} messages too many, the first is ${preview(extra)}`;
}

function preview({ body }: HasBody): string {
  return `${JSON.stringify(body.toString("latin1", 0, 40))} (${body.length} bytes)`;
}
