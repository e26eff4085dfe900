// https://spec.matrix.org/v1.19/server-server-api/#send-to-device-messaging
import { Type, type Static } from 'typebox'
import { MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import { serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import { noteReceivedMessage } from '@causeway/store/tables/received-messages.ts'
import { mapOf } from '../../client/key-schemas.ts'
import { userIdText } from '../../client/schemas.ts'
import { readRecipients, sendToDevices, type Delivery } from '../../devices/send-to-devices.ts'
import { jsonObject } from '../../http/schemas.ts'
import { CompanionRefused } from '../../rooms/write-to-room.ts'
import { usersOfOurs } from '../require-ours.ts'
import { defineEdu, type EduContext } from './edu-handler.ts'

const MAX_USERS = 1_000
const MAX_DEVICES = 1_000

/** The specification says 32 code points; servers are not all so exact. */
const MAX_ID_LENGTH = 255

const Content = Type.Object({
  sender: userIdText,
  type: Type.String({ minLength: 1, maxLength: 255 }),
  message_id: Type.String({ minLength: 1, maxLength: MAX_ID_LENGTH }),
  messages: mapOf(mapOf(jsonObject, MAX_DEVICES), MAX_USERS),
})

type Message = Static<typeof Content>

/** Durable, each in a write of its own with the note that it came: the same message once more is nothing. */
export const directToDevice = defineEdu(Content, async (context, contents) => {
  const ready: { message: Message; deliveries: Delivery[] }[] = []
  for (const message of contents) {
    const deliveries = await recipientsOf(context, message)
    if (deliveries === undefined) context.refuse()
    else if (deliveries.length > 0) ready.push({ message, deliveries })
  }
  // In one turn, so that they arrive in the order in which they were sent.
  await Promise.all(ready.map(({ message, deliveries }) => store(context, message, deliveries)))
})

/** Existing devices of users of ours; undefined for what is not the sender's to send, or too large. */
async function recipientsOf(
  { hs, origin }: EduContext,
  { sender, type, messages }: Message,
): Promise<Delivery[] | undefined> {
  if (serverNameOf(sender) !== origin) return undefined
  const users = usersOfOurs(hs, Object.keys(messages))
  const contents = new Map(users.map((userId) => [userId, new Map(Object.entries(messages[userId]!))]))
  try {
    return await readRecipients(hs.db, { type, sender, contents: contents as Contents })
  } catch (error) {
    if (error instanceof MatrixError) return undefined
    throw error
  }
}

type Contents = Parameters<typeof readRecipients>[1]['contents']

async function store(
  { hs, origin, refuse }: EduContext,
  { message_id: messageId }: Message,
  deliveries: readonly Delivery[],
): Promise<void> {
  try {
    await sendToDevices(hs, deliveries, [noteReceivedMessage(origin, messageId, hs.clock.now())])
  } catch (error) {
    if (!(error instanceof CompanionRefused)) throw error
    refuse()
  }
}
