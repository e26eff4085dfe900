import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { Homeserver } from '../homeserver.ts'
import type { Session } from '../http/endpoint.ts'
import { sendEvent, type SendInput } from '../rooms/send.ts'

/** Sends an event under a client's transaction id: however often it is asked for, it is sent once. */
export function sendOnce(
  hs: Homeserver,
  session: Session,
  txnId: string,
  path: string,
  input: SendInput,
): Promise<JsonObject> {
  return hs.transactions.once({ session, method: 'PUT', path, txnId }, async (record) => {
    const eventId = await sendEvent(hs.rooms, {
      ...input,
      companions: (eventId, eventNid) => {
        const { userId, deviceId } = session
        if (deviceId !== undefined) hs.rooms.echoes.note(eventId, { userId, deviceId, txnId })
        return { steps: [record({ eventNid })] }
      },
    })
    return { event_id: eventId }
  })
}
