/** Does work on each item, on so many at once; the results in the order of the items. The first failure ends it. */
export async function mapAtOnce<T, R>(
  items: readonly T[],
  atOnce: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: { readonly at: number; readonly result: R }[] = [];
  const waiting = items.entries();
  let failed = false;
  const worker = async (): Promise<void> => {
    for (const [at, item] of waiting) {
      if (failed) return;
      try {
        results.push({ at, result: await work(item) });
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return results.toSorted((a, b) => a.at - b.at).map(({ result }) => result);
}
