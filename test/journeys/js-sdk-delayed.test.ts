import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { startCauseway } from '@causeway/testkit/causeway.ts'
import { registerUser } from '@causeway/testkit/matrix-client.ts'
import { startSdkClient, type SdkClient } from '@causeway/testkit/sdk-client.ts'
import { findMessage, membershipOf } from './sdk-talk.ts'

const HOUR = 3_600_000
const CALL_MEMBER = 'org.matrix.msc3401.call.member'
const LIVEKIT = { type: 'livekit', livekit_service_url: 'https://rtc.example.org/jwt' }
const EXTRA = `rtc:\n  transports: [${JSON.stringify(LIVEKIT)}]\n`

/** Whether somebody is in the call, as a client knows it from the room's state. */
function isInCall({ client }: SdkClient, roomId: string, userId: string): boolean {
  const events = client.getRoom(roomId)?.currentState.getStateEvents(CALL_MEMBER) ?? []
  return events.some((event) => event.getSender() === userId && Object.keys(event.getContent()).length > 0)
}

/** What is sticky in a room, as a client knows it. */
function stickyOf({ client }: SdkClient, roomId: string): unknown[] {
  const events = client.getRoom(roomId)?._unstable_getStickyEvents() ?? []
  return [...events].map((event) => event.getContent()['body'] as unknown)
}

describe('matrix-js-sdk', () => {
  it('has messages sent later, looks at them, puts them off, sends and cancels them', async () => {
    await using server = await startCauseway({ extra: EXTRA })
    const user = await registerUser(server.url, 'alice')
    await using alice = await startSdkClient(server.url, user)
    const { client } = alice
    // Its own words are switched off by now.
    const { EventType, MsgType } = await import('matrix-js-sdk')
    assert.deepEqual(await client._unstable_getRTCTransports(), [LIVEKIT])
    const { room_id: roomId } = await client.createRoom({ name: 'Later' })
    await alice.until('the room', () => membershipOf(alice, roomId) === 'join')
    const later = async (body: string, delay: number): Promise<string> => {
      const content = { msgtype: MsgType.Text, body } as const
      const type = EventType.RoomMessage
      const sent = await client._unstable_sendDelayedEvent(roomId, { delay }, null, type, content)
      return sent.delay_id
    }
    const soon = await later('soon', 1_000)
    const never = await later('never', HOUR)
    const byRequest = await later('by request', HOUR)
    await alice.until('the message', () => findMessage(alice, roomId, 'soon'))
    const { finalised } = await client._unstable_getDelayedEvent(soon)
    assert.equal(finalised?.event_id, findMessage(alice, roomId, 'soon')?.getId())
    const before = await client._unstable_getDelayedEvent(never)
    assert.deepEqual([before.delay_ms, before.finalised], [HOUR, undefined])
    await client._unstable_restartScheduledDelayedEvent(never)
    const restarted = await client._unstable_getDelayedEvent(never)
    assert.ok(restarted.delayed_since_ts >= before.delayed_since_ts)
    await client._unstable_cancelScheduledDelayedEvent(never)
    await client._unstable_sendScheduledDelayedEvent(byRequest)
    await alice.until('the other message', () => findMessage(alice, roomId, 'by request'))
    const listed: unknown = await client._unstable_getDelayedEvents()
    assert.deepEqual(listed, { delayed_events: [] })
    assert.equal(findMessage(alice, roomId, 'never'), undefined)
  })

  it('sends what is sticky, now and later, and finds it in a room that it comes into afterwards', async () => {
    await using server = await startCauseway()
    const [aliceUser, bobUser] = [
      await registerUser(server.url, 'alice'),
      await registerUser(server.url, 'bob'),
    ]
    await using alice = await startSdkClient(server.url, aliceUser)
    await using bob = await startSdkClient(server.url, bobUser)
    const { MsgType, Preset } = await import('matrix-js-sdk')
    const { client } = alice
    const { room_id: roomId } = await client.createRoom({ preset: Preset.PublicChat })
    await alice.until('the room', () => membershipOf(alice, roomId) === 'join')
    // Messages go into a queue of the SDK, which forgets that they are to be sticky.
    const type = 'org.example.here' as never
    const words = (body: string) => ({ body }) as never
    await client._unstable_sendStickyEvent(roomId, HOUR, null, type, words('now'))
    const delay = { delay: 500 }
    await client._unstable_sendStickyDelayedEvent(roomId, HOUR, delay, null, type, words('later'))
    await alice.until('what is sent later', () => stickyOf(alice, roomId).includes('later'))
    // More than a first sync brings.
    for (let at = 0; at < 30; at++)
      await client.sendMessage(roomId, { msgtype: MsgType.Text, body: `talk ${at}` })
    await bob.client.joinRoom(roomId)
    await bob.until('what is sticky', () => stickyOf(bob, roomId).length === 2)
    assert.deepEqual(new Set(stickyOf(bob, roomId)), new Set(['later', 'now']))
    const shown = bob.client.getRoom(roomId)!.getLiveTimeline().getEvents()
    assert.equal(
      shown.some((event) => event.getType() === 'org.example.here'),
      false,
    )
  })

  it('is in a call; when it is cut off the server lets it leave, and when it is back it joins again', async () => {
    await using server = await startCauseway({ extra: EXTRA })
    const [aliceUser, bobUser] = [
      await registerUser(server.url, 'alice'),
      await registerUser(server.url, 'bob'),
    ]
    let isCutOff = false
    const network: typeof fetch = async (...asked) => {
      if (isCutOff) throw new TypeError('the network is gone')
      return fetch(...asked)
    }
    await using alice = await startSdkClient(server.url, aliceUser, { fetch: network })
    await using bob = await startSdkClient(server.url, bobUser)
    const { room_id: roomId } = await alice.client.createRoom({ invite: [bobUser.userId] })
    await bob.until('the invitation', () => membershipOf(bob, roomId) === 'invite')
    await bob.client.joinRoom(roomId)
    const { userId, deviceId } = aliceUser
    const room = await alice.until('the room', () => alice.client.getRoom(roomId) ?? undefined)
    const session = alice.client.matrixRTC.getRoomSession(room)
    session.joinRTCSession({ userId, deviceId, memberId: `${userId}:${deviceId}` }, [LIVEKIT], undefined, {
      delayedLeaveEventDelayMs: 5_000,
      delayedLeaveEventRestartMs: 1_000,
      networkErrorRetryMs: 500,
      maximumNetworkErrorRetryCount: 10_000,
    })
    await bob.until('that she is in the call', () => isInCall(bob, roomId, userId))
    isCutOff = true
    // The server falls as well: it is back before she is.
    await server.kill()
    await server.start()
    await bob.until('that she has left', () => !isInCall(bob, roomId, userId))
    isCutOff = false
    await bob.until('that she is back', () => isInCall(bob, roomId, userId))
    await session.leaveRoomSession(60_000)
    await bob.until('that she has hung up', () => !isInCall(bob, roomId, userId))
    await session.stop()
  })
})
