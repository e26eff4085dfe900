// https://spec.matrix.org/v1.19/server-server-api/#send-to-device-messaging
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { tooLarge } from '@causeway/matrix/errors/matrix-error.ts'
import type { ServerName, UserId } from '@causeway/matrix/ids/ids.ts'
import { serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import { canonicalJson } from '@causeway/matrix/json/canonical.ts'
import type { Random } from '@causeway/store/clock/clock.ts'
import type { Step } from '@causeway/store/db/database.ts'
import { insertOutboundToDevice } from '@causeway/store/tables/outbound-transactions.ts'
import type { DeviceMessages } from './send-to-devices.ts'

/** What is written for devices of other servers, and which servers are woken once it is durable. */
export interface RemoteMessages {
  readonly steps: readonly Step[]
  readonly servers: ReadonlySet<ServerName>
}

/** As for events. */
const MAX_CONTENT_CHARS = 65_536
/** Characters of one EDU, beyond which the next begins: some servers have a limit near that of an event. */
const MAX_EDU_CHARS = 60_000
/** What one request may store. */
const MAX_TOTAL_CHARS = 32 * 1024 * 1024
const MESSAGE_ID_LENGTH = 32

/** Messages for devices of other servers as EDUs, each with an id by which its receiver knows it again. Throws `M_TOO_LARGE`. */
export function queueRemoteMessages(messages: DeviceMessages, random: Random): RemoteMessages {
  const steps: Step[] = []
  const servers = new Set<ServerName>()
  const byServer = Map.groupBy(messages.contents, ([userId]) => serverNameOf(userId))
  let total = 0
  for (const [server, users] of byServer) {
    for (const part of split(users)) {
      const { type, sender } = messages
      const content = { sender, type, message_id: random.token(MESSAGE_ID_LENGTH), messages: part }
      const edu = canonicalJson({ edu_type: 'm.direct_to_device', content })
      total += edu.length
      steps.push(insertOutboundToDevice(server, edu))
    }
    servers.add(server)
  }
  if (total > MAX_TOTAL_CHARS)
    throw tooLarge('This is too much for one request; send to fewer devices at a time')
  return { steps, servers }
}

type Part = Record<string, Record<string, JsonObject>>

function split(users: readonly (readonly [UserId, ReadonlyMap<string, JsonObject>])[]): Part[] {
  const parts: Part[] = []
  let length = Infinity
  for (const [userId, devices] of users) {
    for (const [deviceId, content] of devices) {
      const { length: chars } = JSON.stringify(content)
      if (chars > MAX_CONTENT_CHARS)
        throw tooLarge(`A message may have at most ${MAX_CONTENT_CHARS} characters of content`)
      if (length + chars > MAX_EDU_CHARS) {
        parts.push({})
        length = 0
      }
      const part = parts.at(-1)!
      part[userId] = { ...part[userId], [deviceId]: content }
      length += chars + deviceId.length + userId.length
    }
  }
  return parts
}
