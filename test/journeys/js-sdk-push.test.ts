import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, it } from 'node:test'
import type { Room } from 'matrix-js-sdk'
import {
  pusherOf,
  startTestGateway,
  type Notify,
  type TestGateway,
} from '@causeway/homeserver/push/test-gateway.ts'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { startCauseway } from '@causeway/testkit/causeway.ts'
import { makeAuthority, type TestAuthority } from '@causeway/testkit/certificates.ts'
import { registerUser } from '@causeway/testkit/matrix-client.ts'
import { startSdkClient, type SdkClient } from '@causeway/testkit/sdk-client.ts'
import { membershipOf } from './sdk-talk.ts'

/** Lets the server reach gateways of this machine, and believe them. */
async function trusting(authority: TestAuthority): Promise<{ readonly extra: string } & AsyncDisposable> {
  const folder = await mkdtemp(path.join(tmpdir(), 'push-journey-'))
  const file = path.join(folder, 'authority.pem')
  await writeFile(file, authority.certificate)
  const federation = {
    enabled: false,
    allow_private_addresses: ['127.0.0.0/8'],
    ca_certificates: [file],
  }
  return {
    extra: `federation: ${JSON.stringify(federation)}\n`,
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  }
}

/** What a notification tells: the text of its event, how urgent it is, and how much is unread. */
interface Told {
  readonly body: unknown
  readonly highlight: unknown
  readonly unread: number
}

function toldBy({ notification, device }: Notify): Told {
  const { content, counts } = notification as { content?: JsonObject; counts: { unread?: number } }
  const { highlight } = device['tweaks'] === undefined ? {} : (device['tweaks'] as JsonObject)
  return { body: content?.['body'], highlight, unread: counts.unread ?? 0 }
}

/** Events that the gateway was told of, in order; counts that came alone are left out. */
const eventsTold = (gateway: TestGateway): Told[] =>
  gateway.taken.map(toldBy).filter(({ body }) => body !== undefined)

/** Resolves with the last event that was told, once there are so many. */
async function nthTold(gateway: TestGateway, count: number): Promise<Told | undefined> {
  await gateway.until(() => eventsTold(gateway).length >= count)
  return eventsTold(gateway).at(-1)
}

/** Resolves once the gateway was last told, without an event, that so much is unread. */
function untilBadge(gateway: TestGateway, unread: number): Promise<void> {
  return gateway.until(() => {
    const last = gateway.taken.at(-1)
    if (last === undefined) return false
    const told = toldBy(last)
    return told.body === undefined && told.unread === unread
  })
}

const roomOf = ({ client }: SdkClient, roomId: string): Room => client.getRoom(roomId)!

describe('matrix-js-sdk', () => {
  it('has its pusher told what the mode of each room says, and how much is unread, in threads too', async () => {
    const authority = makeAuthority()
    await using gateway = await startTestGateway(authority)
    await using trust = await trusting(authority)
    await using server = await startCauseway({ extra: trust.extra })
    const { url } = server
    const [aliceUser, bobUser] = [await registerUser(url, 'alice'), await registerUser(url, 'bob')]
    const carolUser = await registerUser(url, 'carol')
    await using alice = await startSdkClient(url, aliceUser, { threads: true })
    await using bob = await startSdkClient(url, bobUser, { threads: true })
    const { NotificationCountType, PushRuleActionName, PushRuleKind } = await import('matrix-js-sdk')
    const { ConditionKind, MsgType, Preset } = await import('matrix-js-sdk')

    // Three people each: what two say to each other has a rule of its own.
    const make = async (name: string): Promise<string> => {
      const { room_id: roomId } = await alice.client.createRoom({ name, preset: Preset.PublicChat })
      await carolUser.call('POST', `/join/${encodeURIComponent(roomId)}`, {})
      await bob.client.joinRoom(roomId)
      await bob.until(name, () => membershipOf(bob, roomId) === 'join')
      await alice.until(
        'bob',
        () => alice.client.getRoom(roomId)?.getMember(bobUser.userId)?.membership === 'join',
      )
      return roomId
    }
    const [all, mentions, muted] = [await make('All'), await make('Mentions'), await make('Muted')]
    const { kind, ...pusher } = pusherOf(gateway.url, 'phone')
    await bob.client.setPusher({ ...pusher, kind, append: false } as never)
    // As Element does: for mentions only a rule of the room, to be silent a rule before all others.
    const silent = [PushRuleActionName.DontNotify]
    await bob.client.addPushRule('global', PushRuleKind.RoomSpecific, mentions, { actions: silent })
    const ofMuted = { kind: ConditionKind.EventMatch, key: 'room_id', pattern: muted } as const
    await bob.client.addPushRule('global', PushRuleKind.Override, muted, {
      conditions: [ofMuted],
      actions: silent,
    })

    const say = async (
      roomId: string,
      body: string,
      more: JsonObject = {},
      threadId?: string,
    ): Promise<string> => {
      const content = { msgtype: MsgType.Text, body, ...more } as never
      const { event_id: id } = await alice.client.sendMessage(roomId, threadId ?? null, content)
      return id
    }
    const naming = { 'm.mentions': { user_ids: [bobUser.userId] } }
    // What is told comes in the order of the log: had one of the first three been, it would come before the fourth.
    await say(muted, 'hush')
    const unheard = await say(muted, 'hush, bob', naming)
    await say(mentions, 'between us')
    const named = await say(mentions, 'bob!', naming)
    assert.deepEqual(await nthTold(gateway, 1), { body: 'bob!', highlight: true, unread: 1 })
    const root = await say(all, 'a root')
    assert.deepEqual(await nthTold(gateway, 2), { body: 'a root', highlight: undefined, unread: 2 })
    await say(all, 'a reply', {}, root)
    assert.deepEqual(await nthTold(gateway, 3), { body: 'a reply', highlight: undefined, unread: 3 })
    const last = await say(all, 'a reply, bob', naming, root)
    assert.deepEqual(await nthTold(gateway, 4), { body: 'a reply, bob', highlight: true, unread: 4 })

    // And so does the client itself.
    const { Total, Highlight } = NotificationCountType
    const countsOf = (roomId: string): number[] => {
      const room = roomOf(bob, roomId)
      return [room.getRoomUnreadNotificationCount(Total), room.getRoomUnreadNotificationCount(Highlight)]
    }
    const threadCounts = (): number[] =>
      [Total, Highlight].map((type) => roomOf(bob, all).getThreadUnreadNotificationCount(root, type))
    const seesCounts = (what: string, counts: () => unknown[], wanted: number[]): Promise<unknown> =>
      bob.until(what, () => JSON.stringify(counts()) === JSON.stringify(wanted))
    await seesCounts('the thread', threadCounts, [2, 1])
    await seesCounts('the room', () => countsOf(all), [1, 0])
    await seesCounts('mentions', () => countsOf(mentions), [1, 1])
    await seesCounts('silence', () => countsOf(muted), [0, 0])

    // What is read counts no more: a thread, and beside it what was said outside of it, have receipts of their own.
    const read = async (roomId: string, eventId: string): Promise<void> => {
      const event = await bob.until('the message', () => roomOf(bob, roomId).findEventById(eventId))
      await bob.client.sendReadReceipt(event)
    }
    await read(all, last)
    await untilBadge(gateway, 2)
    await seesCounts('the thread read', threadCounts, [0, 0])
    await seesCounts('the room unread', () => countsOf(all), [1, 0])
    await read(all, root)
    await untilBadge(gateway, 1)
    await seesCounts('the room read', () => countsOf(all), [0, 0])
    await read(mentions, named)
    await untilBadge(gateway, 0)
    await read(muted, unheard)

    // The other way round.
    await bob.client.deletePushRule('global', PushRuleKind.Override, muted)
    await bob.client.addPushRule('global', PushRuleKind.Override, all, {
      conditions: [{ ...ofMuted, pattern: all }],
      actions: silent,
    })
    await say(all, 'into the void', naming)
    await say(all, 'into the thread', naming, root)
    await say(muted, 'heard again')
    assert.deepEqual(await nthTold(gateway, 5), { body: 'heard again', highlight: undefined, unread: 1 })
    assert.deepEqual(
      eventsTold(gateway).map(({ body }) => body),
      ['bob!', 'a root', 'a reply', 'a reply, bob', 'heard again'],
    )
  })
})
