import type { MarkResult } from "../usecases/mark.ts";
import { visible } from "./terminal-text.ts";

export function markLines({ id, targets }: MarkResult, marked: boolean): readonly string[] {
  const now = marked ? "is marked" : "is not marked any more";
  const before = marked ? "was marked already" : "was not marked";
  return targets.map(
    ({ location, changed }) => `backup ${id} ${changed ? now : before} at ${visible(location)}`,
  );
}

export function markJson({ id, targets }: MarkResult, marked: boolean, status: number): unknown {
  return {
    status,
    id,
    marked,
    targets: targets.map(({ location, changed }) => ({ target: location, changed })),
  };
}
