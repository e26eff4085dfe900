/** Rooms whose state is read side by side. */
const AT_A_TIME = 128

/** Runs for every item, so many side by side. */
export async function inPortions<T>(items: readonly T[], run: (item: T) => Promise<void>): Promise<void> {
  for (let at = 0; at < items.length; at += AT_A_TIME)
    await Promise.all(items.slice(at, at + AT_A_TIME).map(run))
}
