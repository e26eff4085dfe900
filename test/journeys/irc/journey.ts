import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { ircClient, type TestIrcClient } from '@causeway/testkit/irc/irc-client.ts'
import { registerUser } from '@causeway/testkit/matrix-client.ts'
import { ensurePythonVenv } from '@causeway/testkit/python-venv.ts'
import { startSdkClient } from '@causeway/testkit/sdk-client.ts'
import { NIO_PACKAGES, startNioPerson, type NioEvent } from '../nio/person.ts'
import {
  aliceReads,
  aliceSays,
  aliceSees,
  aliceSends,
  BOT,
  bobReads,
  CHANNEL,
  connectBob,
  findInHistory,
  numbersIn,
  readHistory,
  seeUnlinked,
  startWorld,
  type IrcKind,
  type World,
} from './world.ts'

const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
)
const LINES = 200
const PASSWORD = 'a long enough password'
const venv = await ensurePythonVenv('nio', NIO_PACKAGES)
const nioSkip = 'skip' in venv ? venv.skip : false
const python = 'python' in venv ? venv.python : ''

async function link(world: World): Promise<void> {
  const { alice, bob } = world
  const { room_id: roomId } = await alice.client.createRoom({
    ...{ name: 'Maps', preset: 'public_chat' as never, invite: [BOT] },
  })
  world.roomId = roomId
  await alice.until('the bot', () => alice.client.getRoom(roomId)?.getMember(BOT)?.membership === 'join')
  await aliceSays(world, `!irc link home ${CHANNEL}`)
  await bobReads(world, /^May this channel be connected with the Matrix room “Maps”.*@alice:localhost/)
  bob.say(CHANNEL, '!bridge accept')
  await aliceReads(world, /^Connected with #maps on home\./)
}

async function talk(world: World): Promise<void> {
  const { bob } = world
  await aliceSends(world, {
    ...{ msgtype: 'm.text', body: 'hello bob', format: 'org.matrix.custom.html' },
    formatted_body: 'hello <b>bob</b>',
  })
  const heard = await bobReads(world, (text) => text.startsWith('hello \x02bob'))
  assert.equal(heard['nick'], 'alice', 'she has a connection of her own')
  bob.say(CHANNEL, 'hello \x02alice\x02, \x0304red\x03 news')
  const said = await aliceReads(world, 'hello alice, red news')
  assert.equal(
    said.getContent()['formatted_body'],
    'hello <strong><a href="https://matrix.to/#/@alice:localhost">alice</a></strong>, ' +
      '<span data-mx-color="#ff0000">red</span> news',
  )
  assert.match(said.getSender() ?? '', /^@_bridge_irc_home_bob:localhost$/)
  bob.action(CHANNEL, 'waves')
  assert.equal((await aliceReads(world, 'waves')).getContent()['msgtype'], 'm.emote')
  await aliceSends(world, { msgtype: 'm.emote', body: 'waves back' })
  assert.equal((await bobReads(world, 'waves back'))['type'], 'action')
}

async function answer(world: World, isRich: boolean): Promise<void> {
  const { alice, bob, roomId } = world
  bob.say(CHANNEL, 'who has the map?')
  const questionId = (await aliceReads(world, 'who has the map?')).getId()!
  const replyId = await aliceSends(world, {
    ...{ msgtype: 'm.text', body: 'I have teh map' },
    'm.relates_to': { 'm.in_reply_to': { event_id: questionId } },
  })
  const reply = await bobReads(world, /^bob: .*I have teh map$/)
  const relation: JsonObject = { rel_type: 'm.replace', event_id: replyId }
  await aliceSends(world, {
    ...{ msgtype: 'm.text', body: '* I have the map', 'm.relates_to': relation },
    'm.new_content': { msgtype: 'm.text', body: 'I have the map' },
  })
  await bobReads(world, 's/teh/the/')
  await aliceSends(
    world,
    { 'm.relates_to': { rel_type: 'm.annotation', event_id: questionId, key: '👍' } },
    'm.reaction',
  )
  if (isRich) await answerWithTags(world, reply, replyId)
  else await bobReads(world, /^reacted 👍 to \S+: “who has the map\?”$/)
  const slip = await aliceSays(world, 'a slip of the tongue')
  await bobReads(world, 'a slip of the tongue')
  await alice.client.redactEvent(roomId, slip)
  await aliceSays(world, 'forget it')
  await bobReads(world, 'forget it')
}

/** Where the server carries tags, Bob's client answers with them, and Alice's client shows it as she knows it. */
async function answerWithTags(world: World, reply: Record<string, unknown>, replyId: string): Promise<void> {
  const { bob } = world
  const tags = reply['tags'] as Record<string, string>
  assert.equal(typeof tags['+draft/reply'], 'string')
  const reacted = await bob.waitFor('tagmsg', ({ tags: own }) => '+draft/react' in (own as object))
  assert.equal((reacted['tags'] as Record<string, string>)['+draft/react'], '👍')
  const msgid = tags['msgid']!
  bob.tagmsg(CHANNEL, { '+draft/reply': msgid, '+draft/react': '🎉' })
  const reaction = await aliceSees(
    world,
    'the reaction',
    (event) => event.getRelation()?.key === '🎉' && event.getType() === 'm.reaction',
  )
  assert.equal(reaction.getRelation()?.event_id, replyId)
  bob.say(CHANNEL, 'thanks a lot', { '+draft/reply': msgid })
  assert.equal((await aliceReads(world, 'thanks a lot')).replyEventId, replyId)
}

async function sendPicture(world: World): Promise<void> {
  const { alice } = world
  const { content_uri: url } = await alice.client.uploadContent(PNG, { type: 'image/png', name: 'map.png' })
  await aliceSends(world, { msgtype: 'm.image', body: 'map.png', url, info: { size: PNG.length } })
  const line = String((await bobReads(world, /^map\.png/))['message'])
  const address = /https?:\/\/\S+/.exec(line)?.[0]
  assert.ok(address !== undefined, line)
  const fetched = await fetch(address)
  assert.equal(fetched.headers.get('content-type'), 'image/png')
  assert.deepEqual(Buffer.from(await fetched.arrayBuffer()), PNG)
}

/** Nora, on the same portal with another client, in another language: whoever of the three speaks, the others hear. */
async function talkWithNio(world: World, isRich: boolean): Promise<void> {
  const { server, alice, bob, roomId } = world
  const noraUser = await registerUser(server.url, 'nora', PASSWORD)
  await using nora = await startNioPerson(python, { url: server.url, user: noraUser.userId })
  await nora.do('login', { password: PASSWORD })
  await nora.do('join', { room_id: roomId })
  const said = await nora.do<string>('send', {
    ...{ room_id: roomId, content: { msgtype: 'm.text', body: 'nora here, with nio' } },
  })
  assert.equal((await bobReads(world, 'nora here, with nio'))['nick'], 'nora')
  assert.equal((await aliceReads(world, 'nora here, with nio')).getId(), said)
  bob.say(CHANNEL, 'nora: welcome')
  const hears = (body: string): Promise<NioEvent> =>
    nora.until(body, ({ events }) => events.find(({ content }) => content['body'] === body))
  const welcome = await hears('nora: welcome')
  assert.deepEqual(welcome.content['m.mentions'], { user_ids: [noraUser.userId] })
  assert.equal(welcome.sender, '@_bridge_irc_home_bob:localhost')
  await aliceSays(world, 'hello nora')
  await hears('hello nora')
  const edit = {
    ...{ msgtype: 'm.text', body: '* nora here, with matrix-nio' },
    'm.new_content': { msgtype: 'm.text', body: 'nora here, with matrix-nio' },
    'm.relates_to': { rel_type: 'm.replace', event_id: said },
  }
  await nora.do('send', { room_id: roomId, content: edit })
  await bobReads(world, 's/nio/matrix-nio/')
  const relation = { rel_type: 'm.annotation', event_id: welcome.event_id, key: '🌍' } as const
  await alice.client.sendEvent(roomId, 'm.reaction' as never, { 'm.relates_to': relation } as never)
  await nora.until('the reaction', ({ events }) =>
    events.find(({ content }) => (content['m.relates_to'] as JsonObject | undefined)?.['key'] === '🌍'),
  )
  if (isRich)
    await bob.waitFor('tagmsg', ({ tags }) => (tags as Record<string, string>)['+draft/react'] === '🌍')
  await nora.do('leave', { room_id: roomId })
  await alice.until(
    'nora leaving',
    () => alice.client.getRoom(roomId)?.getMember(noraUser.userId)?.membership === 'leave',
  )
  await bob.waitFor('part', ({ nick }) => nick === 'nora')
}

async function comeAndGo(world: World): Promise<void> {
  const { server, alice, bob, roomId } = world
  const carolUser = await registerUser(server.url, 'carol')
  await using carol = await startSdkClient(server.url, carolUser)
  await carol.client.joinRoom(roomId)
  await carol.client.sendTextMessage(roomId, 'may I join you?')
  assert.equal((await bobReads(world, 'may I join you?'))['nick'], 'carol')
  await carol.client.leave(roomId)
  await bob.waitFor('part', ({ nick }) => nick === 'carol')
  await carol.client.joinRoom(roomId)
  await carol.client.sendTextMessage(roomId, 'back again')
  assert.equal((await bobReads(world, 'back again'))['nick'], 'carol')

  const ghost = '@_bridge_irc_home_bob:localhost'
  const membership = (): string | undefined => alice.client.getRoom(roomId)?.getMember(ghost)?.membership
  const dave = await enterChannel(world, 'dave')
  dave.say(CHANNEL, 'dave here')
  const daves = (await aliceReads(world, 'dave here')).getSender()!
  const davesState = (): string | undefined => alice.client.getRoom(roomId)?.getMember(daves)?.membership
  dave.raw(`PART ${CHANNEL} :see you`)
  await alice.until('dave leaving', () => davesState() === 'leave')
  await dave.join(CHANNEL)
  dave.say(CHANNEL, 'dave again')
  await aliceReads(world, 'dave again')
  assert.equal(davesState(), 'join')
  assert.equal(membership(), 'join')
  await dave.quit()
  await alice.until('dave quitting', () => davesState() === 'leave')
}

async function enterChannel({ irc }: World, nick: string): Promise<TestIrcClient> {
  const person = await ircClient({ host: irc.host, port: irc.port, nick })
  await person.join(CHANNEL)
  return person
}

async function restartIrc(world: World): Promise<void> {
  await world.irc.stop()
  await aliceSays(world, 'said while the server was away')
  await aliceSays(world, 'and this as well')
  // What waits is said as soon as the bridge is back: Bob, who wants to read it, has to be there before.
  world.server.freeze()
  await world.irc.start()
  world.bob = await connectBob(world.irc)
  world.server.thaw()
  await bobReads(world, 'and this as well')
  const texts = world.bob.texts(CHANNEL)
  assert.deepEqual(
    texts.filter((text) => /away|well/.test(text)),
    ['alice: said while the server was away', 'alice: and this as well'],
  )
  world.bob.say(CHANNEL, 'all is well again')
  await aliceReads(world, 'all is well again')
}

/** Sends until it is answered, as clients do: the same transaction, whatever happens to the server meanwhile. */
async function sendStubbornly({ aliceUser, roomId }: World, body: string): Promise<void> {
  const path = `/rooms/${encodeURIComponent(roomId)}/send/m.room.message/${encodeURIComponent(`flow ${body}`)}`
  for (const end = Date.now() + 180_000; ;) {
    try {
      await aliceUser.call('PUT', path, { msgtype: 'm.text', body })
      return
    } catch (cause) {
      if (Date.now() > end) throw cause
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}

/**
 * Bob leaves and enters the channel while nobody else is there, which makes him its operator: after a restart of the
 * IRC server that may have become whoever was faster.
 */
async function reenterAlone({ bob }: World): Promise<void> {
  const lists = (): (readonly { nick: string; modes: string[] }[])[] =>
    bob.seen.flatMap(({ type, data }) => (type === 'userlist' ? [data['users'] as never] : []))
  const listAfter = async (...lines: string[]): Promise<readonly { nick: string; modes: string[] }[]> => {
    const before = lists().length
    for (const line of lines) bob.raw(line)
    await bob.waitFor('userlist', () => lists().length > before)
    return lists().at(-1)!
  }
  for (const gone of ['hub', 'alice']) await bob.waitFor('quit', ({ nick }) => nick === gone)
  // Others whom the bridge had there go with them, one after the other.
  while ((await listAfter(`NAMES ${CHANNEL}`)).some(({ nick }) => nick !== bob.nick)) await setImmediate()
  const there = await listAfter(`PART ${CHANNEL}`, `JOIN ${CHANNEL}`)
  assert.ok(
    there.some(({ nick, modes }) => nick === bob.nick && modes.includes('o')),
    JSON.stringify(there),
  )
}

/**
 * Both sides talk while our process is killed and started again. Out: every message was acknowledged, so that each is
 * in the channel once and in order; only the one on its way in that very moment may be lost, and then the room is
 * told. In: what was said while the bridge was away is not heard by anybody who is away, unless the server keeps it; all
 * else is there once.
 */
async function killInMidFlow(world: World, keepsHistory: boolean): Promise<void> {
  const { server, bob } = world
  const bots = (): number =>
    bob.seen.filter(({ type, data }) => type === 'join' && data['nick'] === 'hub').length
  if (keepsHistory) {
    // What is kept is gone with the last who leaves: he has to be operator before.
    const first = bots()
    await server.kill()
    await reenterAlone(world)
    await server.start()
    await bob.waitFor('join', () => bots() > first, 120_000)
  }
  const before = bots()
  const sending = (async () => {
    for (let index = 0; index < LINES; index++) await sendStubbornly(world, `out ${index}`)
  })()
  for (let index = 0; index < LINES / 2; index++) bob.say(CHANNEL, `in ${index}`)
  await bobReads(world, /^out [2-9]\d$/)
  await findInHistory(world, /^in [2-9]\d$/)
  await server.kill()
  for (let index = 0; index < LINES; index++) bob.say(CHANNEL, `missed ${index}`)
  bob.say(CHANNEL, '!unbridge')
  if (!keepsHistory) await reenterAlone(world)
  await server.start()
  await bob.waitFor('join', () => bots() > before, 120_000)
  for (let index = LINES / 2; index < LINES; index++) bob.say(CHANNEL, `in ${index}`)
  await sending
  await aliceSays(world, 'the last word')
  await bobReads(world, 'the last word', 180_000)
  // Behind all others: a client that falls behind is shown only the newest of a timeline.
  bob.say(CHANNEL, 'that is all')
  await aliceReads(world, 'that is all')

  const heard = bob.seen.flatMap(({ type, data }) =>
    type === 'message' && data['target'] === CHANNEL ? [data['message']] : [],
  )
  const out = numbersIn(heard, 'out')
  const history = await readHistory(world)
  const bodies = history.map(({ content: { body } }) => (typeof body === 'string' ? body : ''))
  assert.deepEqual(numbersIn(bodies, 'out'), numbersUpTo(LINES), 'each was stored once, in order')
  assert.deepEqual(
    out,
    out.toSorted((a, b) => a - b),
    'order out',
  )
  assert.equal(new Set(out).size, out.length, 'nothing twice out')
  assert.ok(out.length >= LINES - 1, `lost on the way out: ${LINES - out.length}`)
  if (out.length < LINES) await findInHistory(world, /^⚠ .* may not have reached #maps/)

  const heardIn = numbersIn(bodies, 'in')
  assert.deepEqual(
    heardIn,
    heardIn.toSorted((a, b) => a - b),
    'order in',
  )
  assert.equal(new Set(heardIn).size, heardIn.length, 'nothing twice in')
  assert.deepEqual(
    heardIn.filter((index) => index >= LINES / 2),
    numbersUpTo(LINES).slice(LINES / 2),
    'all that was said after it came back',
  )
  const missed = numbersIn(bodies, 'missed')
  assert.deepEqual(missed, keepsHistory ? numbersUpTo(LINES) : [], 'what was said while we were away')
  if (keepsHistory) {
    assert.deepEqual(heardIn, numbersUpTo(LINES), 'also what was under way to us')
    const place = (body: string): number => bodies.indexOf(body)
    assert.ok(place(`in ${LINES / 2 - 1}`) < place('missed 0'), 'in its place')
    assert.ok(place(`missed ${LINES - 1}`) < place(`in ${LINES / 2}`), 'in its place')
  }
  const early = heardIn.filter((index) => index < LINES / 2)
  assert.deepEqual(early, numbersUpTo(early.length), 'no hole in what was heard before')
}

function numbersUpTo(end: number): number[] {
  return Array.from({ length: end }, (_, index) => index)
}

async function unlinkFromChannel(world: World): Promise<void> {
  const { alice, bob, roomId } = world
  bob.say(CHANNEL, '!unbridge')
  await aliceReads(world, new RegExp(`^No longer connected with ${CHANNEL} \\(ended by bob`))
  await bob.waitFor('part', ({ nick }) => nick === 'hub')
  await alice.until('the ghosts leaving', () => {
    const members = alice.client.getRoom(roomId)?.getJoinedMembers() ?? []
    return members.every(({ userId }) => !userId.startsWith('@_bridge_'))
  })
  await aliceSays(world, 'only for the room')
  bob.say(CHANNEL, 'only for the channel')
  assert.match(await seeUnlinked(world), /^This room is not linked/)
  const bodies = (await readHistory(world)).map(({ content }) => content['body'])
  assert.ok(!bodies.includes('only for the channel'))
  assert.ok(!bob.texts(CHANNEL).some((text) => text.includes('only for the room')))
}

/** The whole life of a link, on one kind of IRC server. */
export function runIrcJourney(kind: IrcKind, createDatabase?: () => Promise<string>): void {
  const skip = kind.skip ?? false
  describe(`with ${kind.name}`, { skip }, () => {
    let world: World
    before(async () => {
      world = await startWorld(kind, await createDatabase?.())
    })
    after(() => world?.[Symbol.asyncDispose]())
    const step = (title: string, run: () => Promise<void>): void => {
      it(title, async (t) => {
        try {
          await run()
        } catch (error) {
          t.diagnostic(world.server.log().split('\n').slice(-30).join('\n'))
          throw error
        }
      })
    }
    step('a room is linked from inside, once the channel agrees', () => link(world))
    step('both sides talk, with formatting and actions', () => talk(world))
    step('they edit, reply, react and redact', () => answer(world, kind.isRich))
    step('a picture is a link that works without an account', () => sendPicture(world))
    it('a person with matrix-nio talks with both', { skip: nioSkip }, () => talkWithNio(world, kind.isRich))
    step('people of both sides leave and come back', () => comeAndGo(world))
    step('what was said while the IRC server was away arrives when it is back', () => restartIrc(world))
    step('kill -9 in mid-flow loses, doubles and reorders nothing that was taken', () =>
      killInMidFlow(world, kind.keepsHistory ?? false),
    )
    step('the channel ends it, and nothing crosses any more', () => unlinkFromChannel(world))
  })
}
