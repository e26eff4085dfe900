import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { Step, WriteValue } from '@causeway/store/db/database.ts'
import {
  CLIENT_TRANSACTIONS,
  deleteClientTransaction,
  findClientTransaction,
} from '@causeway/store/tables/events.ts'
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

/** What is written down of an answer: itself, or the number of the event whose id it is. */
export type RecordedAnswer = { readonly answer: JsonObject } | { readonly eventNid: WriteValue }

/** Does what is asked for, and makes the step that records the answer first among the companions of its one write. */
type Run = (record: (answer: RecordedAnswer) => Step) => Promise<JsonObject>

/** Answers given lately, and those under way: two requests at once get one answer. */
export interface Transactions {
  /** Runs `run` unless its transaction was answered before; then gives that answer. */
  once(scope: TransactionScope, run: Run): Promise<JsonObject>
}

function keyOf({ session, method, path, txnId }: TransactionScope): Uint8Array {
  const who = [session.userId, session.deviceId ?? '', session.appserviceId ?? '']
  // 120 bits are more than enough to tell the transactions of a day apart, and fill whole words on the disk.
  return hash('sha256', JSON.stringify([...who, method, path, txnId]), 'buffer').subarray(0, 15)
}

/** Rows are forgotten by the day; an index over times that are alike is a fraction of the size on PostgreSQL. */
const MINUTE_MS = 60_000

/** @param limit answers kept in memory; older ones are read from the table */
export function createTransactions(hs: Pick<Homeserver, 'db' | 'clock'>, limit: number): Transactions {
  const answers = new Map<string, Promise<JsonObject>>()
  const recordUnder =
    (key: Uint8Array) =>
    (recorded: RecordedAnswer): Step => {
      const minute = Math.floor(hs.clock.now() / MINUTE_MS) * MINUTE_MS
      const what =
        'answer' in recorded
          ? ([null, JSON.stringify(recorded.answer)] as const)
          : ([recorded.eventNid, null] as const)
      return { into: CLIENT_TRANSACTIONS, values: [key, minute, ...what] }
    }
  const attempt = async (key: Uint8Array, run: Run): Promise<JsonObject> => {
    try {
      return await run(recordUnder(key))
    } catch (error) {
      if (!(error instanceof CompanionRefused) || error.step !== 0) throw error
      // The id was used before this process knew of it: the row refused the second write.
      const row = await findClientTransaction(hs.db, key)
      if (row?.event_id != null) return { event_id: row.event_id }
      if (row?.response != null) return JSON.parse(row.response) as JsonObject
      if (row === undefined) throw error
      // What it sent was purged with its room, and the room is back: this is another message.
      await hs.db.commit({ entries: [], steps: [deleteClientTransaction(key)] })
      return await run(recordUnder(key))
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
