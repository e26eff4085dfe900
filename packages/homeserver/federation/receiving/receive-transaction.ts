import type { JsonObject, JsonValue } from '@causeway/matrix/events/pdu.ts'
import type { RoomId, ServerName } from '@causeway/matrix/ids/ids.ts'
import { MatrixError, invalidParam } from '@causeway/matrix/errors/matrix-error.ts'
import { stickyDurationOf } from '@causeway/matrix/events/sticky.ts'
import { isRoomId } from '@causeway/matrix/ids/room-id.ts'
import { isJsonObject } from '@causeway/matrix/json/parse.ts'
import type { Homeserver } from '../../homeserver.ts'
import { MAX_EDUS, receiveEdus } from '../edus/receive-edu.ts'
import { receivePdus, type PduResults } from '../../rooms/receive/receive-pdus.ts'

const MAX_PDUS = 50
/** Rooms of one transaction that are worked on at once. */
const PARALLEL_ROOMS = 10
/** A sender waits a minute for its answer. */
const JOIN_PATIENCE_MS = 20_000

/**
 * Takes a transaction in: the events of each room by themselves, so that one room never holds up another. The same
 * transaction again gets the same answer. Throws `M_INVALID_PARAM` for one over the limits, `M_LIMIT_EXCEEDED` where it has
 * more sticky events than its sender may have now.
 * https://spec.matrix.org/v1.19/server-server-api/#transactions
 */
export function receiveTransaction(
  hs: Homeserver,
  origin: ServerName,
  txnId: string,
  body: { readonly pdus?: readonly unknown[]; readonly edus?: readonly unknown[] },
): Promise<JsonObject> {
  const { pdus = [], edus = [] } = body
  if (pdus.length > MAX_PDUS || edus.length > MAX_EDUS) {
    throw invalidParam(`A transaction holds at most ${MAX_PDUS} PDUs and ${MAX_EDUS} EDUs`)
  }
  const { receiving } = hs
  const key = `${origin}/${txnId}`
  const before = receiving.answers.get(key)
  if (before !== undefined) return Promise.resolve(before)
  requireFewSticky(hs, origin, pdus)
  hs.federation.client.heardFrom(origin)
  return receiving.underWay.run(key, async () => {
    const answer = { pdus: await receiveByRoom(hs, origin, pdus) }
    // After the events: receipts may be for them.
    await receiveEdus(hs, origin, edus)
    receiving.answers.set(key, answer)
    return answer
  })
}

/** Of sticky events none may be left out: who has too many comes again with all of them. */
function requireFewSticky({ rooms }: Homeserver, origin: ServerName, pdus: readonly unknown[]): void {
  const sticky = pdus.filter((pdu) => isJsonObject(pdu) && stickyDurationOf(pdu) !== undefined)
  const wait = sticky.length === 0 ? 0 : rooms.stickyLimit.waitFor(origin, sticky.length)
  if (wait === 0) return
  throw new MatrixError(
    'M_LIMIT_EXCEEDED',
    'Your server sends too many sticky events; send this again later',
    {
      extra: { retry_after_ms: wait },
    },
  )
}

async function receiveByRoom(
  hs: Homeserver,
  origin: ServerName,
  pdus: readonly unknown[],
): Promise<{ [eventId: string]: JsonValue }> {
  const rooms = [...Map.groupBy(pdus, roomOf)]
  const answer: { [eventId: string]: JsonValue } = {}
  for (let at = 0; at < rooms.length; at += PARALLEL_ROOMS) {
    const part = rooms.slice(at, at + PARALLEL_ROOMS)
    const settled = await Promise.allSettled(
      part.map(async ([roomId, ofRoom]) =>
        roomId === undefined ? NOTHING : receiveOfRoom(hs, origin, roomId, ofRoom),
      ),
    )
    for (const [eventId, { error }] of settled.flatMap((result) => [...resultsOf(result)])) {
      answer[eventId] = error === undefined ? {} : { error }
    }
  }
  return answer
}

/** What comes while we are coming into its room is taken in once we are there. */
async function receiveOfRoom(
  hs: Homeserver,
  origin: ServerName,
  roomId: RoomId,
  pdus: readonly unknown[],
): Promise<PduResults> {
  await hs.joining.joined(roomId, JOIN_PATIENCE_MS)
  return receivePdus(hs.receiving, origin, roomId, pdus)
}

function roomOf(pdu: unknown): RoomId | undefined {
  const roomId = isJsonObject(pdu) ? pdu['room_id'] : undefined
  return isRoomId(roomId) ? roomId : undefined
}

const NOTHING: PduResults = new Map()

/**
 * What could neither be placed nor kept was not taken in: the transaction fails, and its sender comes again with it.
 * An event that is acknowledged and only logged would be lost.
 */
function resultsOf(settled: PromiseSettledResult<PduResults>): PduResults {
  if (settled.status === 'rejected') throw settled.reason
  return settled.value
}
