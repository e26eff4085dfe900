import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { MatrixEvent } from 'matrix-js-sdk'
import sharp from 'sharp'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { startCauseway } from '@causeway/testkit/causeway.ts'
import { registerUser, type TestUser } from '@causeway/testkit/matrix-client.ts'
import { startSdkClient, type SdkClient } from '@causeway/testkit/sdk-client.ts'
import { ensurePythonVenv } from '@causeway/testkit/python-venv.ts'
import { NIO_PACKAGES, startNioPerson, type NioEvent, type NioPerson, type NioView } from './nio/person.ts'

const PASSWORD = 'a long enough password'
const venv = await ensurePythonVenv('nio', NIO_PACKAGES)
const skip = 'skip' in venv ? venv.skip : false
const python = 'python' in venv ? venv.python : ''

async function loginNio(url: string, user: TestUser, encrypt = false): Promise<NioPerson> {
  const person = await startNioPerson(python, { url, user: user.userId, encrypt })
  const { user_id: userId } = await person.do<JsonObject>('login', { password: PASSWORD })
  assert.equal(userId, user.userId)
  return person
}

const text = (body: string): JsonObject => ({ msgtype: 'm.text', body })

const eventWith =
  (body: string) =>
  ({ events }: NioView): NioEvent | undefined =>
    events.find(({ content }) => content['body'] === body)

const timelineOf = ({ client }: SdkClient, roomId: string): MatrixEvent[] =>
  client.getRoom(roomId)?.getLiveTimeline().getEvents() ?? []

function findMessage(sdk: SdkClient, roomId: string, body: string): MatrixEvent | undefined {
  return timelineOf(sdk, roomId).find((event) => event.getContent()['body'] === body)
}

interface Pair extends AsyncDisposable {
  readonly alice: SdkClient
  readonly bob: NioPerson
  readonly bobUser: TestUser
  readonly roomId: string
}

/** Alice with matrix-js-sdk and Bob with matrix-nio, in a room that Bob has made and Alice has joined. */
async function meet(url: string, encrypt: boolean): Promise<Pair> {
  await using stack = new AsyncDisposableStack()
  const aliceUser = await registerUser(url, 'alice', PASSWORD)
  const bobUser = await registerUser(url, 'bob', PASSWORD)
  const alice = stack.use(await startSdkClient(url, aliceUser, { encrypt }))
  const bob = stack.use(await loginNio(url, bobUser, encrypt))
  const room = { name: 'Maps', invite: [aliceUser.userId], encrypted: encrypt }
  const roomId = await bob.do<string>('create_room', room)
  await alice.until('the invitation', () => alice.client.getRoom(roomId)?.getMyMembership() === 'invite')
  await alice.client.joinRoom(roomId)
  await bob.until('alice', ({ rooms }) => rooms[roomId]?.members.includes(aliceUser.userId))
  const owned = stack.move()
  const end = (): Promise<void> => owned.disposeAsync()
  return { alice, bob, bobUser, roomId, [Symbol.asyncDispose]: end }
}

/** Alice leaves, is invited anew, joins, and is heard. */
async function comeBack({ alice, bob, roomId }: Pair): Promise<void> {
  const userId = alice.client.getUserId()!
  await alice.client.leave(roomId)
  await bob.until('alice gone', ({ rooms }) => rooms[roomId]?.members.length === 1)
  await bob.do('invite', { room_id: roomId, user_id: userId })
  await alice.until('an invitation', () => alice.client.getRoom(roomId)?.getMyMembership() === 'invite')
  await alice.client.joinRoom(roomId)
  await alice.client.sendTextMessage(roomId, 'here again')
  await bob.until('alice again', eventWith('here again'))
}

async function sendEdit({ alice, bob, roomId }: Pair): Promise<string> {
  const first = await bob.do<string>('send', { room_id: roomId, content: text('hello alise') })
  await alice.until('the message', () => findMessage(alice, roomId, 'hello alise'))
  const edit = {
    ...text('* hello Alice'),
    'm.new_content': text('hello Alice'),
    'm.relates_to': { rel_type: 'm.replace', event_id: first },
  }
  await bob.do('send', { room_id: roomId, content: edit })
  const edited = await alice.until('the edit', () => findMessage(alice, roomId, 'hello Alice'))
  assert.equal(edited.getId(), first)
  return first
}

describe('matrix-nio', { skip }, () => {
  it('talks, edits and reacts with a person on matrix-js-sdk; both read, type, redact, leave and come back', async () => {
    await using server = await startCauseway()
    await using pair = await meet(server.url, false)
    const { alice, bob, bobUser, roomId } = pair
    const bobId = bobUser.userId
    const first = await sendEdit(pair)

    const relation = { rel_type: 'm.annotation', event_id: first, key: '👍' } as const
    await alice.client.sendEvent(roomId, 'm.reaction' as never, { 'm.relates_to': relation } as never)
    const reaction = await bob.until('the reaction', ({ events }) =>
      events.find(({ kind }) => kind === 'ReactionEvent'),
    )
    assert.deepEqual(reaction.content['m.relates_to'], relation)

    const { event_id: said } = await alice.client.sendTextMessage(roomId, 'hello bob')
    await bob.until('the answer', eventWith('hello bob'))
    await alice.client.sendEvent(
      roomId,
      'm.room.message' as never,
      {
        ...text('* hello Bob'),
        'm.new_content': text('hello Bob'),
        'm.relates_to': { rel_type: 'm.replace', event_id: said },
      } as never,
    )
    const edit = await bob.until('the edit', eventWith('* hello Bob'))
    assert.deepEqual(edit.content['m.new_content'], text('hello Bob'))

    await bob.do('read', { room_id: roomId, event_id: said })
    await alice.until(
      'that bob has read it',
      () => alice.client.getRoom(roomId)?.getReadReceiptForUserId(bobId)?.eventId === said,
    )
    const shown = timelineOf(alice, roomId).find((event) => event.getId() === first)
    await alice.client.sendReadReceipt(shown!)
    await bob.until('that alice has read it', ({ receipts }) =>
      receipts.some(({ event_id: id, user_id: who }) => id === first && who === alice.client.getUserId()),
    )
    await bob.do('type', { room_id: roomId })
    await alice.until('bob typing', () => alice.client.getRoom(roomId)?.getMember(bobId)?.typing)
    await alice.client.sendTyping(roomId, true, 20_000)
    await bob.until('alice typing', ({ typing }) =>
      typing.some(({ users }) => users.includes(alice.client.getUserId()!)),
    )

    const slip = await bob.do<string>('send', { room_id: roomId, content: text('a slip') })
    await alice.until('the slip', () => findMessage(alice, roomId, 'a slip'))
    await bob.do('redact', { room_id: roomId, event_id: slip })
    await alice.until('the removal', () => alice.client.getRoom(roomId)?.findEventById(slip)?.isRedacted())

    await comeBack(pair)
    await bob.do('leave', { room_id: roomId })
    await alice.until(
      'bob gone',
      () => alice.client.getRoom(roomId)?.getMember(bobId)?.membership === 'leave',
    )
    await alice.client.invite(roomId, bobId)
    await bob.until('the second invitation', ({ invited }) => invited.includes(roomId))
    await bob.do('join', { room_id: roomId })

    await server.kill()
    await server.start()
    await using later = await loginNio(server.url, bobUser)
    const bodies = await later.do<string[]>('history', { room_id: roomId })
    assert.deepEqual(bodies, ['hello alise', '* hello Alice', 'hello bob', '* hello Bob', 'here again'])
  })

  it('sends a picture that the other sees and gets one back, with a thumbnail', async () => {
    await using server = await startCauseway()
    await using pair = await meet(server.url, false)
    const { alice, bob, roomId } = pair
    const background = { r: 20, g: 120, b: 200 }
    const picture = await sharp({ create: { width: 64, height: 48, channels: 3, background } })
      .png()
      .toBuffer()
    const upload = { hex: picture.toString('hex'), content_type: 'image/png', filename: 'sea.png' }
    const url = await bob.do<string>('upload', upload)
    await bob.do('send', { room_id: roomId, content: { msgtype: 'm.image', body: 'sea.png', url } })
    const message = await alice.until('the picture', () => findMessage(alice, roomId, 'sea.png'))
    const address = alice.client.mxcUrlToHttp(
      message.getContent()['url'] as string,
      undefined,
      undefined,
      undefined,
      undefined,
      true,
      true,
    )!
    const headers = { authorization: `Bearer ${alice.client.getAccessToken()}` }
    const answer = await fetch(address, { headers })
    assert.equal(answer.headers.get('content-type'), 'image/png')
    assert.deepEqual(Buffer.from(await answer.arrayBuffer()), picture)

    const blob = new Blob([Uint8Array.from(picture)], { type: 'image/png' })
    const { content_uri: back } = await alice.client.uploadContent(blob, { name: 'back.png' })
    await alice.client.sendImageMessage(roomId, back, {}, 'back.png')
    const { content } = await bob.until('the picture', eventWith('back.png'))
    const mxc = content['url'] as string
    assert.deepEqual(await bob.do('download', { mxc }), { ...upload, filename: 'back.png' })
    const thumbnail = await bob.do<{ bytes: number; content_type: string }>('thumbnail', { mxc })
    assert.match(thumbnail.content_type, /^image\//)
    assert.ok(thumbnail.bytes > 0)
  })

  it('talks in an encrypted room with a person on matrix-js-sdk', async () => {
    await using server = await startCauseway()
    await using pair = await meet(server.url, true)
    const { alice, bob, roomId } = pair
    await alice.until('encryption', () => alice.client.getRoom(roomId)?.hasEncryptionStateEvent())
    await bob.do('send', { room_id: roomId, content: text('from Olm in Python') })
    const received = await alice.until('the message', () => findMessage(alice, roomId, 'from Olm in Python'))
    assert.equal(received.getWireType(), 'm.room.encrypted')
    await alice.client.sendTextMessage(roomId, 'from Rust')
    const answer = await bob.until('the answer', eventWith('from Rust'))
    assert.equal(answer.decrypted, true)
  })
})
