import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { Step } from '@causeway/store/db/database.ts'
import { CLIENT_TRANSACTIONS, findClientTransaction } from '@causeway/store/tables/events.ts'
import { hash } from 'node:crypto'
import type { Homeserver } from '../homeserver.ts'
import type { Session } from '../http/endpoint.ts'
import { CompanionRefused } from '../rooms/write-to-room.ts'

/** One use of a transaction id. https://spec.matrix.org/v1.19/client-server-api/#transaction-identifiers */
export interface TransactionScope {
  readonly session: Session
  readonly method: string
  /** The path with its room and type, but without the transaction id: the same id elsewhere is another transaction. */
  readonly path: string
  readonly txnId: string
}

/** Answers given lately, and those under way: two requests at once get one answer. */
export interface Transactions {
  /**
   * Runs `run` unless its transaction was answered before; then gives that answer. `run` is handed the step
   * that records its answer, and must put it first among the companions of its one write.
   */
  once(
    scope: TransactionScope,
    run: (record: (answer: JsonObject) => Step) => Promise<JsonObject>,
  ): Promise<JsonObject>
}

function keyOf({ session, method, path, txnId }: TransactionScope): Uint8Array {
  const who = [session.userId, session.deviceId ?? '', session.appserviceId ?? '']
  // 120 bits are more than enough to tell the transactions of a day apart, and fill whole words on the disk.
  return hash('sha256', JSON.stringify([...who, method, path, txnId]), 'buffer').subarray(0, 15)
}

/** There is a row for every message sent: most answers are an event's id and nothing else, and are kept as that. */
function packAnswer(answer: JsonObject): string {
  const { event_id: eventId } = answer
  const isId = typeof eventId === 'string' && eventId.startsWith('$') && Object.keys(answer).length === 1
  return isId ? eventId : JSON.stringify(answer)
}

function unpackAnswer(stored: string): JsonObject {
  return stored.startsWith('$') ? { event_id: stored } : (JSON.parse(stored) as JsonObject)
}

/** Rows are forgotten by the day; an index over times that are alike is a fraction of the size on PostgreSQL. */
const MINUTE_MS = 60_000

/** @param limit answers kept in memory; older ones are read from the table */
export function createTransactions(hs: Pick<Homeserver, 'db' | 'clock'>, limit: number): Transactions {
  const answers = new Map<string, Promise<JsonObject>>()
  const readStored = async (key: Uint8Array): Promise<JsonObject | undefined> => {
    const stored = await findClientTransaction(hs.db, key)
    return stored === undefined ? undefined : unpackAnswer(stored)
  }
  const attempt = async (
    key: Uint8Array,
    run: (record: (answer: JsonObject) => Step) => Promise<JsonObject>,
  ): Promise<JsonObject> => {
    try {
      return await run((answer) => ({
        into: CLIENT_TRANSACTIONS,
        values: [key, packAnswer(answer), Math.floor(hs.clock.now() / MINUTE_MS) * MINUTE_MS],
      }))
    } catch (error) {
      if (!(error instanceof CompanionRefused) || error.step !== 0) throw error
      // The id was used before this process knew of it: the row refused the second write.
      const stored = await readStored(key)
      if (stored === undefined) throw error
      return stored
    }
  }
  return {
    once(scope, run) {
      const key = keyOf(scope)
      const name = Buffer.from(key).toString('base64')
      const held = answers.get(name)
      if (held !== undefined) return held
      const answer = attempt(key, run)
      answers.set(name, answer)
      if (answers.size > limit) answers.delete(answers.keys().next().value!)
      // A refusal is no answer: the client may try again under the same id.
      answer.catch(() => answers.delete(name))
      return answer
    },
  }
}
