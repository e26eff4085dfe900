import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { MatrixEvent } from 'matrix-js-sdk'
import { startCauseway } from '@causeway/testkit/causeway.ts'
import { registerUser } from '@causeway/testkit/matrix-client.ts'
import { startSdkClient, type SdkClient } from '@causeway/testkit/sdk-client.ts'

function findMessage({ client }: SdkClient, roomId: string, body: string): MatrixEvent | undefined {
  const events = client.getRoom(roomId)?.getLiveTimeline().getEvents() ?? []
  return events.find((event) => event.getContent()['body'] === body && event.getType() === 'm.room.message')
}

const membershipOf = ({ client }: SdkClient, roomId: string): string | undefined =>
  client.getRoom(roomId)?.getMyMembership()

describe('matrix-js-sdk by sliding sync', () => {
  it('two people find their rooms, talk, read, type, leave and come back, over a restart', async () => {
    await using server = await startCauseway()
    const [aliceUser, bobUser] = [
      await registerUser(server.url, 'alice'),
      await registerUser(server.url, 'bob'),
    ]
    await using alice = await startSdkClient(server.url, aliceUser, { sliding: true })
    await using bob = await startSdkClient(server.url, bobUser, { sliding: true })
    const { room_id: roomId } = await alice.client.createRoom({ name: 'Maps', invite: [bobUser.userId] })
    await bob.until('the invitation', () => membershipOf(bob, roomId) === 'invite')
    await bob.until('its name', () => bob.client.getRoom(roomId)?.name === 'Maps')
    await bob.client.joinRoom(roomId)
    await alice.until(
      'bob',
      () => alice.client.getRoom(roomId)?.getMember(bobUser.userId)?.membership === 'join',
    )
    const { event_id: eventId } = await alice.client.sendTextMessage(roomId, 'hello bob')
    const message = await bob.until('the message', () => findMessage(bob, roomId, 'hello bob'))
    assert.equal(message.getId(), eventId)
    assert.equal(message.sender?.name, 'alice')
    await bob.client.sendReadReceipt(message)
    await alice.until('that bob has read it', () =>
      alice.client.getRoom(roomId)?.hasUserReadEvent(bobUser.userId, eventId),
    )
    await bob.client.sendTyping(roomId, true, 20_000)
    await alice.until(
      'that bob types',
      () => alice.client.getRoom(roomId)?.getMember(bobUser.userId)?.typing === true,
    )
    await bob.client.setRoomTag(roomId, 'm.favourite', { order: 0.5 })
    await bob.until('the tag', () => bob.client.getRoom(roomId)?.tags['m.favourite'] !== undefined)

    await server.kill()
    await server.start()
    await alice.client.sendTextMessage(roomId, 'after the restart')
    await bob.until('what was said after it', () => findMessage(bob, roomId, 'after the restart'))

    await bob.client.leave(roomId)
    await bob.until('that it is left', () => membershipOf(bob, roomId) === 'leave')
    await alice.client.invite(roomId, bobUser.userId)
    await bob.until('the second invitation', () => membershipOf(bob, roomId) === 'invite')
    await bob.client.joinRoom(roomId)
    await bob.until('that they are back', () => membershipOf(bob, roomId) === 'join')
    await bob.client.sendTextMessage(roomId, 'back again')
    await alice.until('bob again', () => findMessage(alice, roomId, 'back again'))
  })

  it('two people talk in an encrypted room', async () => {
    await using server = await startCauseway()
    const [aliceUser, bobUser] = [
      await registerUser(server.url, 'alice'),
      await registerUser(server.url, 'bob'),
    ]
    await using alice = await startSdkClient(server.url, aliceUser, { encrypt: true, sliding: true })
    await using bob = await startSdkClient(server.url, bobUser, { encrypt: true, sliding: true })
    const { room_id: roomId } = await alice.client.createRoom({
      invite: [bobUser.userId],
      initial_state: [
        { type: 'm.room.encryption', state_key: '', content: { algorithm: 'm.megolm.v1.aes-sha2' } },
      ],
    })
    await bob.until('the invitation', () => membershipOf(bob, roomId) === 'invite')
    await bob.client.joinRoom(roomId)
    const ofBob = (): string | undefined =>
      alice.client.getRoom(roomId)?.getMember(bobUser.userId)?.membership
    await alice.until('bob', () => ofBob() === 'join')
    await alice.until('encryption', () => alice.client.getRoom(roomId)?.hasEncryptionStateEvent())
    await alice.client.sendTextMessage(roomId, 'for your eyes only')
    const received = await bob.until('the decrypted message', () =>
      findMessage(bob, roomId, 'for your eyes only'),
    )
    assert.equal(received.getWireType(), 'm.room.encrypted')
    await bob.client.sendTextMessage(roomId, 'read and burnt')
    await alice.until('the answer', () => findMessage(alice, roomId, 'read and burnt'))
  })
})
