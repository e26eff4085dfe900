// https://spec.matrix.org/v1.19/server-server-api/#edus
import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import { isJsonObject } from '@causeway/matrix/json/parse.ts'
import type { Homeserver } from '../../homeserver.ts'
import { deviceListUpdates, signingKeyUpdates } from './device-updates.ts'
import { directToDevice } from './direct-to-device.ts'
import type { EduHandler } from './edu-handler.ts'
import { presenceUpdates } from './presence.ts'
import { receipts } from './receipts.ts'
import { createRoomGate } from './room-gate.ts'
import { typing } from './typing.ts'

/** Every type that we know. */
const HANDLERS: ReadonlyMap<string, EduHandler> = new Map([
  ['m.typing', typing],
  ['m.presence', presenceUpdates],
  ['m.receipt', receipts],
  ['m.direct_to_device', directToDevice],
  ['m.device_list_update', deviceListUpdates],
  ['m.signing_key_update', signingKeyUpdates],
])

/** https://spec.matrix.org/v1.19/server-server-api/#transactions */
export const MAX_EDUS = 100

/**
 * Takes in the EDUs of a transaction; what must last is durable when it resolves. What is malformed, not the
 * sender's to say, or of an unknown type is left out and counted, and hinders nothing else.
 * @param origin the server that signed the transaction
 * @throws only what is our own fault, so that the transaction comes again
 */
export async function receiveEdus(
  hs: Homeserver,
  origin: ServerName,
  edus: readonly unknown[],
): Promise<void> {
  const gate = createRoomGate(hs, origin)
  for (const [type, contents] of sortOut(hs, edus)) {
    let refused = 0
    const refuse = (n = 1): void => void (refused += n)
    await HANDLERS.get(type)!.run({ hs, origin, gate, refuse }, contents)
    hs.eduTally.count(type, 'refused', refused)
  }
  await hs.remoteDevices.heardFrom(origin)
}

/** Contents by type, in order; the rest is counted. */
function sortOut({ eduTally }: Homeserver, edus: readonly unknown[]): Map<string, unknown[]> {
  const sorted = new Map<string, unknown[]>()
  for (const edu of edus.slice(0, MAX_EDUS)) {
    const type = isJsonObject(edu) ? edu['edu_type'] : undefined
    const handler = typeof type === 'string' ? HANDLERS.get(type) : undefined
    if (typeof type !== 'string' || handler === undefined) {
      eduTally.count('unknown', 'unknown')
      continue
    }
    const content = (edu as Record<string, unknown>)['content']
    const isSound = handler.accepts(content)
    eduTally.count(type, isSound ? 'taken' : 'malformed')
    if (!isSound) continue
    const others = sorted.get(type)
    if (others === undefined) sorted.set(type, [content])
    else others.push(content)
  }
  eduTally.count('unknown', 'refused', Math.max(0, edus.length - MAX_EDUS))
  return sorted
}
