import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Speaker } from '../../core/network.ts'
import { docFromText } from '../../formatting/tree.ts'
import type { IrcClient } from './client/client.ts'
import { createIrcConnection } from './connection.ts'
import type { IrcPart } from './part.ts'
import type { IrcServerOptions } from './server-options.ts'

/** What rendering asks of a client: how long a line may be, and which tags the server takes. */
function clientWith(tags: boolean): IrcClient {
  const client: Pick<IrcClient, 'textBudget' | 'supportsTag'> = {
    textBudget: () => 420,
    supportsTag: () => tags,
  }
  return client as IrcClient
}

const ALICE: Speaker = { userId: '@alice:x', displayName: 'Alice', isGhost: false }
const options = {
  maxLines: 3,
  colors: 'numbers',
  monospace: 'codes',
  tellsReactions: true,
  setsTopics: true,
} as IrcServerOptions
const target = { id: 'm1', userId: '@bob:x', name: 'Bob', text: 'how are you?' }

function connect(input: { tags: boolean; relayFor?: Speaker; isBot?: boolean; isOperator?: boolean }) {
  return createIrcConnection({
    ...{
      client: clientWith(input.tags),
      channel: '#c',
      relayFor: input.relayFor,
      isBot: input.isBot ?? false,
    },
    ...{ options, nickOf: (userId) => (userId === '@bob:x' ? 'bobby' : undefined) },
    isOperator: () => input.isOperator ?? false,
    history: { doubt: () => undefined, findSaid: () => undefined },
  })
}

const parts = (stored: readonly string[]): IrcPart[] => stored.map((one) => JSON.parse(one) as IrcPart)
const noPaste = async (): Promise<undefined> => undefined

test('one who is relayed is named in every line, and acts in words', async () => {
  const relay = connect({ tags: true, relayFor: ALICE, isBot: true })
  const two = await relay.render({ kind: 'text', doc: docFromText('one\ntwo') }, noPaste)
  assert.deepEqual(parts(two), [
    { kind: 'message', text: '<A\u200blice> one' },
    { kind: 'message', text: '<A\u200blice> two' },
  ])
  const act = await relay.render({ kind: 'action', doc: docFromText('waves') }, noPaste)
  assert.deepEqual(parts(act), [{ kind: 'message', text: '* A\u200blice waves' }])
  const own = connect({ tags: true })
  assert.deepEqual(parts(await own.render({ kind: 'action', doc: docFromText('waves') }, noPaste)), [
    { kind: 'action', text: 'waves' },
  ])
})

test('a reply carries its tag where the server takes it, and words where not', async () => {
  const message = { kind: 'text', doc: docFromText('fine'), replyTo: target } as const
  assert.deepEqual(parts(await connect({ tags: true }).render(message, noPaste)), [
    { kind: 'message', text: 'bobby: fine', replyTo: 'm1' },
  ])
  assert.deepEqual(parts(await connect({ tags: false }).render(message, noPaste)), [
    { kind: 'message', text: 'bobby: (re “how are you?”) fine' },
  ])
})

test('a reaction is a tag, or told in words; taking it back is a tag or nothing', () => {
  const own = connect({ tags: true })
  const tags = [
    ['+draft/reply', 'm1'],
    ['+draft/react', '👍'],
  ]
  assert.deepEqual(parts(own.reactions!.render(target, '👍', false)), [{ kind: 'tags', tags }])
  assert.equal(own.reactions!.render(target, '👍', true).length, 1)
  const bare = connect({ tags: false })
  assert.deepEqual(parts(bare.reactions!.render(target, '👍', false)), [
    { kind: 'action', text: 'reacted 👍 to b\u200bobby: “how are you?”' },
  ])
  assert.deepEqual(bare.reactions!.render(target, '👍', true), [])
  const relay = connect({ tags: true, relayFor: ALICE, isBot: true })
  assert.match(JSON.stringify(relay.reactions!.render(target, '👍', false)), /\* A\u200blice reacted 👍/)
})

test('a long message is its beginning and a link to the rest', async () => {
  const doc = docFromText('1\n2\n3\n4')
  const connection = connect({ tags: false })
  const pasted = await connection.render({ kind: 'text', doc }, async (text) => `https://p/${text.length}`)
  assert.deepEqual(parts(pasted), [{ kind: 'message', text: '1… https://p/7' }])
  const cut = await connection.render({ kind: 'text', doc }, noPaste)
  assert.deepEqual(parts(cut), [{ kind: 'message', text: '1… (the rest is on Matrix)' }])
})

test('only the bot acts on others, and only as an operator', () => {
  const person = { id: 'eve', name: 'Eve' }
  assert.equal(connect({ tags: true }).moderation, undefined)
  const bot = connect({ tags: true, isBot: true })
  assert.deepEqual(bot.moderation!.render('ban', person, 'spam'), [])
  const operator = connect({ tags: true, isBot: true, isOperator: true })
  assert.deepEqual(parts(operator.moderation!.render('ban', person, 'spam\nQUIT')), [
    { kind: 'command', words: ['MODE', '#c', '+b', 'Eve!*@*'] },
    { kind: 'command', words: ['KICK', '#c', 'Eve', 'spam QUIT'] },
  ])
  assert.deepEqual(parts(operator.topics!.render('a\nb')), [
    { kind: 'command', words: ['TOPIC', '#c', 'a b'] },
  ])
})
