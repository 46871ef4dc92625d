import { inlineCodec } from "../../src/adapters/codec/inline-codec.ts";
import type { VerifyLevel } from "../../src/domain/verify-level.ts";
import type { Store } from "../../src/ports/store.ts";
import { verify, type VerifyResult } from "../../src/usecases/verify.ts";

/** All of a repository, or one backup of it with what it needs, to the last message unless another level is said. */
export async function verified(
  store: Store,
  { backup = null, level = { kind: "records" } }: { backup?: string | null; level?: VerifyLevel } = {},
): Promise<VerifyResult> {
  const codec = inlineCodec({ level: 1 });
  return verify({ store, codec, random: Math.random }, { backup, level });
}
