import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { startCauseway } from '@causeway/testkit/causeway.ts'
import { registerUser } from '@causeway/testkit/matrix-client.ts'
import { startSdkClient } from '@causeway/testkit/sdk-client.ts'
import { findMessage, membershipOf, talkEncrypted } from './sdk-talk.ts'

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

  it('two people talk in an encrypted room', () => talkEncrypted({ sliding: true }))
})
