import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Room } from 'matrix-js-sdk'
import { startCauseway } from '@causeway/testkit/causeway.ts'
import { registerUser } from '@causeway/testkit/matrix-client.ts'
import { startSdkClient, type SdkClient } from '@causeway/testkit/sdk-client.ts'
import { findMessage, talkEncrypted } from './sdk-talk.ts'

function roomOf({ client }: SdkClient, roomId: string): Room | undefined {
  return client.getRoom(roomId) ?? undefined
}

describe('matrix-js-sdk', () => {
  it('two people talk, edit, reply, react, redact, leave and come back; all is there after a restart', async () => {
    await using server = await startCauseway()
    const [aliceUser, bobUser] = [
      await registerUser(server.url, 'alice'),
      await registerUser(server.url, 'bob'),
    ]
    let roomId: string
    {
      await using alice = await startSdkClient(server.url, aliceUser)
      await using bob = await startSdkClient(server.url, bobUser)
      ;({ room_id: roomId } = await alice.client.createRoom({ name: 'Maps', invite: [bobUser.userId] }))
      await bob.until('the invitation', () => roomOf(bob, roomId)?.getMyMembership() === 'invite')
      await bob.client.joinRoom(roomId)
      await alice.until('bob', () => roomOf(alice, roomId)?.getMember(bobUser.userId)?.membership === 'join')

      const { event_id: first } = await alice.client.sendTextMessage(roomId, 'hello bob')
      await bob.until('the message', () => findMessage(bob, roomId, 'hello bob'))
      await bob.client.sendEvent(
        roomId,
        'm.room.message' as never,
        {
          msgtype: 'm.text',
          body: 'hello alice',
          'm.relates_to': { 'm.in_reply_to': { event_id: first } },
        } as never,
      )
      await bob.client.sendEvent(
        roomId,
        'm.reaction' as never,
        {
          'm.relates_to': { rel_type: 'm.annotation', event_id: first, key: '👍' },
        } as never,
      )
      const reply = await alice.until('the reply', () => findMessage(alice, roomId, 'hello alice'))
      assert.equal(reply.replyEventId, first)
      await alice.client.sendEvent(
        roomId,
        'm.room.message' as never,
        {
          msgtype: 'm.text',
          body: '* hello Bob',
          'm.new_content': { msgtype: 'm.text', body: 'hello Bob' },
          'm.relates_to': { rel_type: 'm.replace', event_id: first },
        } as never,
      )
      await bob.until('the edit', () => findMessage(bob, roomId, 'hello Bob'))
      const { event_id: secret } = await alice.client.sendTextMessage(roomId, 'a slip')
      await bob.until('the slip', () => findMessage(bob, roomId, 'a slip'))
      await alice.client.redactEvent(roomId, secret)
      await bob.until('the removal', () => roomOf(bob, roomId)?.findEventById(secret)?.isRedacted())

      await bob.client.leave(roomId)
      await alice.until(
        'bob gone',
        () => roomOf(alice, roomId)?.getMember(bobUser.userId)?.membership === 'leave',
      )
      await alice.client.invite(roomId, bobUser.userId)
      await bob.until('the second invitation', () => roomOf(bob, roomId)?.getMyMembership() === 'invite')
      await bob.client.joinRoom(roomId)
      await bob.client.sendTextMessage(roomId, 'back again')
      await alice.until('bob again', () => findMessage(alice, roomId, 'back again'))
    }
    await server.kill()
    await server.start()
    await using alice = await startSdkClient(server.url, aliceUser)
    await alice.until('what was said last', () => findMessage(alice, roomId, 'back again'))
    const edited = await alice.until('the edit', () => findMessage(alice, roomId, 'hello Bob'))
    assert.equal(edited.replacingEvent()?.getContent()['m.new_content'].body, 'hello Bob')
    assert.equal(findMessage(alice, roomId, 'a slip'), undefined)
  })

  it('two people talk in an encrypted room', () => talkEncrypted())
})
