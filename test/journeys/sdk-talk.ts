import assert from 'node:assert/strict'
import type { MatrixEvent } from 'matrix-js-sdk'
import { startCauseway } from '@causeway/testkit/causeway.ts'
import { registerUser } from '@causeway/testkit/matrix-client.ts'
import { startSdkClient, type SdkClient } from '@causeway/testkit/sdk-client.ts'

// What people with matrix-js-sdk do, whichever way their clients sync.

/** A message in the timeline that a client shows, by its text. */
export function findMessage({ client }: SdkClient, roomId: string, body: string): MatrixEvent | undefined {
  const events = client.getRoom(roomId)?.getLiveTimeline().getEvents() ?? []
  return events.find((event) => event.getContent()['body'] === body && event.getType() === 'm.room.message')
}

/** A client's own membership in a room, as far as it knows the room. */
export const membershipOf = ({ client }: SdkClient, roomId: string): string | undefined =>
  client.getRoom(roomId)?.getMyMembership()

/** Two people talk in an encrypted room, in both directions. @param options of their clients */
export async function talkEncrypted(options: { readonly sliding?: boolean } = {}): Promise<void> {
  await using server = await startCauseway()
  const [aliceUser, bobUser] = [
    await registerUser(server.url, 'alice'),
    await registerUser(server.url, 'bob'),
  ]
  await using alice = await startSdkClient(server.url, aliceUser, { encrypt: true, ...options })
  await using bob = await startSdkClient(server.url, bobUser, { encrypt: true, ...options })
  const { room_id: roomId } = await alice.client.createRoom({
    invite: [bobUser.userId],
    initial_state: [
      { type: 'm.room.encryption', state_key: '', content: { algorithm: 'm.megolm.v1.aes-sha2' } },
    ],
  })
  await bob.until('the invitation', () => membershipOf(bob, roomId) === 'invite')
  await bob.client.joinRoom(roomId)
  const ofBob = (): string | undefined => alice.client.getRoom(roomId)?.getMember(bobUser.userId)?.membership
  await alice.until('bob', () => ofBob() === 'join')
  await alice.until('encryption', () => alice.client.getRoom(roomId)?.hasEncryptionStateEvent())
  await alice.client.sendTextMessage(roomId, 'for your eyes only')
  const received = await bob.until('the decrypted message', () =>
    findMessage(bob, roomId, 'for your eyes only'),
  )
  assert.equal(received.getWireType(), 'm.room.encrypted')
  await bob.client.sendTextMessage(roomId, 'read and burnt')
  await alice.until('the answer', () => findMessage(alice, roomId, 'read and burnt'))
}
