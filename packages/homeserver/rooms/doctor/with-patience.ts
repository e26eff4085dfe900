import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import type { ReceiveDeps } from '../receive/deps.ts'
import type { Inbox } from '../receive/inbox.ts'

/** What mending a room needs. */
export type DoctorDeps = ReceiveDeps & { readonly inbox: Inbox }

/** How long one server may take to give what is missing. */
const PATIENCE_MS = 60_000

/** Gives each server its time; one that does not keep it is of no help, and hinders no other. */
export async function withPatience<T>(
  { clock, logger }: DoctorDeps,
  server: ServerName,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T | undefined> {
  const stop = new AbortController()
  const timer = clock.setTimeout(() => stop.abort(new Error(`${server} took too long`)), PATIENCE_MS, {
    unref: true,
  })
  const { promise: tooLate, reject } = Promise.withResolvers<never>()
  stop.signal.addEventListener('abort', () => reject(stop.signal.reason as Error), { once: true })
  try {
    return await Promise.race([work(stop.signal), tooLate])
  } catch (error) {
    logger.info('a server was of no help in repairing a room', { server, error })
    return undefined
  } finally {
    timer.cancel()
  }
}
