import type { PostgresSession } from './postgres-session.ts'

/** Any numbers, the same in every process. Whoever holds this advisory lock may take the next one … */
const PROCESS_LOCK = 4_257_193_003
/** … and whoever holds this one may write. */
const WRITER_LOCK = 4_257_193_002
/** How long a killed predecessor may take to end what it had begun. */
const PATIENCE_MS = 15_000

/**
 * Takes the database for this session alone, for as long as it lasts. The locks belong to the session that writes:
 * while the server is still working off what a killed process had sent, it is that process's, and whoever comes
 * next waits until all of it is committed or rolled back, and reads the log only then.
 * @throws Error with a sentence that says who holds it and what to do
 */
export async function holdDatabase(session: PostgresSession, patienceMs = PATIENCE_MS): Promise<void> {
  try {
    // One round trip; what comes after the lock is carried out whether or not it was to be had.
    await Promise.all([
      session.send(`SET lock_timeout = ${patienceMs}`),
      session.send(`SELECT pg_advisory_lock(${PROCESS_LOCK}) IS NULL AS held`),
      session.send(`SELECT pg_advisory_lock(${WRITER_LOCK}) IS NULL AS held`),
      session.send('RESET lock_timeout'),
    ])
  } catch (error) {
    if (!isLockTimeout(error)) throw error
    const holder = await describeHolder(session)
    throw new Error(
      `the database is in use by another Causeway process${holder}. Stop that one first, or give this one a ` +
        'database of its own.',
      { cause: error },
    )
  }
}

/**
 * Lets another session of this process write: see `succeedWriter`. Until this session ends, no other process gets
 * past the first lock, and after that none gets past the second.
 */
export async function letGoOfWriting(session: PostgresSession): Promise<void> {
  await session.send(`SELECT pg_advisory_unlock(${WRITER_LOCK}) AS unlocked`)
}

/** Takes what another session of this process has let go of. */
export async function succeedWriter(session: PostgresSession): Promise<void> {
  await session.send(`SELECT pg_advisory_lock(${WRITER_LOCK}) IS NULL AS held`)
}

// https://www.postgresql.org/docs/current/errcodes-appendix.html: lock_not_available
function isLockTimeout(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === '55P03'
}

async function describeHolder(session: PostgresSession): Promise<string> {
  // A 64-bit key is shown in two halves.
  const { rows } = await session.send(
    `SELECT a.pid, COALESCE(HOST(a.client_addr), 'a local socket') AS place, a.backend_start::text AS since
     FROM pg_locks AS l JOIN pg_stat_activity AS a ON a.pid = l.pid
     WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
       AND l.classid = ${Math.floor(WRITER_LOCK / 2 ** 32)} AND l.objid IN (${PROCESS_LOCK % 2 ** 32}, ${WRITER_LOCK % 2 ** 32})
       AND l.pid <> pg_backend_pid()
       AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
  )
  const [holder] = rows
  if (holder === undefined) return ''
  const { pid, place, since } = holder as { pid: number; place: string; since: string }
  return ` (connected from ${place} since ${since}, server process ${pid})`
}
