import { changesJson, formatThreadToken, readThreadChanges } from '../../../threads/changes.ts'
import type { SlidingContext } from '../context.ts'
import type { ExtensionResult } from './extension.ts'

const NOTHING: ExtensionResult = { text: '{}', isNews: false }

/**
 * Threads that the user subscribed to or unsubscribed from since the last answer, at first all that they are or were
 * subscribed to; the latest of them, and a token to ask for the others. No query where nothing changed.
 * https://github.com/matrix-org/matrix-spec-proposals/pull/4308
 */
export async function readThreadSubscriptions(
  { hs, session, since, now }: SlidingContext,
  limit: number,
): Promise<ExtensionResult> {
  const { userId } = session
  const after = since?.position ?? 0
  if (since !== undefined && !hs.log.changes.thread_subscription.mayHaveChanged(userId, after)) return NOTHING
  const changes = await readThreadChanges(hs, userId, { after, upTo: now.position, limit })
  if (changes.isEmpty && changes.next === undefined) return NOTHING
  const batch = changes.next === undefined ? {} : { prev_batch: formatThreadToken(changes.next, hs.epochs) }
  return { text: JSON.stringify({ ...changesJson(changes), ...batch }), isNews: true }
}
