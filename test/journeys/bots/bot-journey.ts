import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import sharp from 'sharp'
import { startCauseway } from '@causeway/testkit/causeway.ts'
import { registerUser } from '@causeway/testkit/matrix-client.ts'
import { requireFrom } from '@causeway/testkit/node-packages.ts'
import { startSdkClient } from '@causeway/testkit/sdk-client.ts'
import type { BotClient, BotEvent, BotSdk } from './bot-sdk.ts'
import { findMessage } from '../sdk-talk.ts'

const PASSWORD = 'a long enough password'

async function picture(): Promise<Buffer> {
  const background = { r: 200, g: 80, b: 20 }
  return sharp({ create: { width: 32, height: 24, channels: 3, background } })
    .png()
    .toBuffer()
}

/** Answers to commands; everything that others said, in order, in `heard`. */
function answerCommands(bot: BotClient, botId: string, heard: string[]): void {
  const commands: Readonly<Record<string, (roomId: string, event: BotEvent) => Promise<unknown>>> = {
    '!hello': (roomId, event) => bot.replyText(roomId, event, `Hello, ${event.sender}`),
    '!where': async (roomId) => {
      const { name } = await bot.getRoomStateEvent(roomId, 'm.room.name', '')
      const members = await bot.getJoinedRoomMembers(roomId)
      const state = await bot.getRoomState(roomId)
      assert.ok(state.some(({ type }) => type === 'm.room.create'))
      await bot.sendText(roomId, `In ${String(name)} with ${members.toSorted().join(', ')}`)
    },
    '!draw': async (roomId) => {
      const url = await bot.uploadContent(await picture(), 'image/png', 'sunset.png')
      await bot.sendMessage(roomId, { msgtype: 'm.image', body: 'sunset.png', url })
    },
    '!remove': async (roomId, event) => {
      await bot.sendReadReceipt(roomId, event.event_id)
      await bot.redactEvent(roomId, event.event_id, 'as was asked for')
    },
  }
  bot.on('room.message', (roomId, event) => {
    const body = String(event.content['body'])
    if (event.sender !== botId) heard.push(body)
    void commands[body]?.(roomId, event)
  })
}

/** A bot on matrix-bot-sdk, and Alice, whose commands it answers. @param packages the folder in which the library is */
export async function liveAsBot(packages: string): Promise<void> {
  const sdk = requireFrom<BotSdk>(packages, '@vector-im/matrix-bot-sdk')
  sdk.LogService.setLevel(sdk.LogLevel.ERROR)
  const folder = await mkdtemp(path.join(tmpdir(), 'bot-'))
  const bots: BotClient[] = []
  try {
    await using server = await startCauseway()
    const { url } = server
    const aliceUser = await registerUser(url, 'alice', PASSWORD)
    const { userId: botId } = await registerUser(url, 'bot', PASSWORD)
    await using alice = await startSdkClient(url, aliceUser)
    const { accessToken } = await new sdk.MatrixAuth(url).passwordLogin('bot', PASSWORD, 'the bot')
    const storage = path.join(folder, 'bot.json')
    const heard: string[] = []
    const startBot = async (): Promise<BotClient> => {
      const bot = new sdk.MatrixClient(url, accessToken, new sdk.SimpleFsStorageProvider(storage))
      bots.push(bot)
      sdk.AutojoinRoomsMixin.setupOnClient(bot)
      answerCommands(bot, botId, heard)
      await bot.start()
      return bot
    }
    const bot = await startBot()
    assert.equal(await bot.getUserId(), botId)

    const { room_id: roomId } = await alice.client.createRoom({ name: 'Workshop', invite: [botId] })
    const member = () => alice.client.getRoom(roomId)?.getMember(botId)?.membership
    await alice.until('the bot', () => member() === 'join')
    const { event_id: asked } = await alice.client.sendTextMessage(roomId, '!hello')
    const reply = await alice.until('the reply', () =>
      alice.client
        .getRoom(roomId)
        ?.getLiveTimeline()
        .getEvents()
        .find((event) => event.getSender() === botId && event.replyEventId === asked),
    )
    assert.match(String(reply.getContent()['body']), /Hello, @alice:localhost/)
    await alice.client.sendTextMessage(roomId, '!where')
    await alice.until('what it read of the room', () =>
      findMessage(alice, roomId, 'In Workshop with @alice:localhost, @bot:localhost'),
    )

    await alice.client.sendTextMessage(roomId, '!draw')
    const shown = await alice.until('the picture', () => findMessage(alice, roomId, 'sunset.png'))
    const { data, contentType } = await bot.downloadContent(shown.getContent()['url'] as string)
    assert.equal(contentType, 'image/png')
    assert.deepEqual(data, await picture())

    bot.stop()
    await alice.client.sendTextMessage(roomId, 'said meanwhile')
    await server.restart()
    const again = await startBot()
    assert.deepEqual(await again.getJoinedRooms(), [roomId])
    await alice.client.setPowerLevel(roomId, botId, 50)
    const { event_id: unwanted } = await alice.client.sendTextMessage(roomId, '!remove')
    await alice.until('the removal', () =>
      alice.client.getRoom(roomId)?.findEventById(unwanted)?.isRedacted(),
    )
    // By the first or the second, since a question of the first was still on its way: once.
    assert.deepEqual(heard, ['!hello', '!where', '!draw', 'said meanwhile', '!remove'])
  } finally {
    for (const bot of bots) bot.stop()
    await rm(folder, { recursive: true, force: true })
  }
}
