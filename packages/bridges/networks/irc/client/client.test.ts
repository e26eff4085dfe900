import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { noIrcServers } from '@causeway/testkit/irc/irc-servers.ts'
import { startInspircd } from '@causeway/testkit/irc/inspircd.ts'
import { ircClient } from '@causeway/testkit/irc/irc-client.ts'
import { startNgircd } from '@causeway/testkit/irc/ngircd.ts'
import { observeClient, startObservedClient } from '@causeway/testkit/irc/observed-client.ts'
import type { RunningServer } from '@causeway/testkit/irc/server-process.ts'

const servers: { name: string; isRich: boolean; start: () => Promise<RunningServer> }[] = [
  { name: 'InspIRCd', isRich: true, start: startInspircd },
  { name: 'ngIRCd', isRich: false, start: startNgircd },
]

for (const { name, isRich, start } of servers) {
  // At once: InspIRCd lets clients in only once a second.
  describe(`on ${name}`, { concurrency: 6, skip: noIrcServers }, () => {
    const journey = (title: string, run: (server: RunningServer) => Promise<void>): void => {
      test(title, async () => {
        await using server = await start()
        await run(server)
      })
    }

    journey('two sides talk in a channel, and each line’s fate is known', async (server) => {
      await using bob = await ircClient({ ...server, nick: 'bob' })
      await using us = await startObservedClient(server, 'bridge')
      await bob.join('#talk')
      assert.deepEqual(await us.client.join('#talk'), { kind: 'joined' })
      const names = await us.waitFor('names', (event) => event.channel === '#talk')
      assert.deepEqual(names.members.map(({ ranks, nick }) => ranks + nick).toSorted(), ['@bob', 'bridge'])

      const sent = await us.client.say({ kind: 'message', target: '#talk', text: 'hello ☃' })
      const got = await bob.waitFor('message', (data) => data['message'] === 'hello ☃')
      const tags = got['tags'] as Record<string, string>
      if (isRich) {
        assert.ok(sent.kind === 'echoed' && typeof sent.time === 'number')
        assert.equal(sent.msgid, tags['msgid'], 'the id we were told is the id the others see')
      } else assert.deepEqual(sent, { kind: 'accepted' })

      bob.say('#talk', 'hi there')
      bob.action('#talk', 'waves')
      bob.notice('#talk', 'beware')
      const heard = await us.waitFor('message', (event) => event.text === 'hi there')
      assert.equal(heard.channel, '#talk')
      assert.equal(heard.from.nick, 'bob')
      assert.equal(heard.own, false)
      assert.equal(typeof heard.msgid, isRich ? 'string' : 'undefined')
      assert.equal(typeof heard.time, isRich ? 'number' : 'undefined')
      await us.waitFor('action', (event) => event.text === 'waves')
      await us.waitFor('notice', (event) => event.text === 'beware' && event.channel === '#talk')
      const own = us.events.filter((event) => 'own' in event && event.own && event.type === 'message')
      assert.deepEqual(own, [], 'an echo that was waited for is no event')
    })

    journey('actions, notices and private messages arrive as such', async (server) => {
      await using bob = await ircClient({ ...server, nick: 'bob' })
      await using us = await startObservedClient(server, 'bridge')
      for (const kind of ['message', 'notice', 'action'] as const) {
        const outcome = await us.client.say({ kind, target: 'bob', text: `a ${kind}` })
        assert.equal(outcome.kind, isRich ? 'echoed' : 'accepted')
        const got = await bob.waitFor('message', (data) => data['message'] === `a ${kind}`)
        assert.equal(got['type'], { message: 'privmsg', notice: 'notice', action: 'action' }[kind])
      }
      bob.say('bridge', 'psst')
      const heard = await us.waitFor('message', (event) => event.text === 'psst')
      assert.equal(heard.channel, undefined)
    })

    journey('reply and reaction tags travel only where the server agreed to them', async (server) => {
      await using bob = await ircClient({ ...server, nick: 'bob' })
      await using us = await startObservedClient(server, 'bridge')
      await bob.join('#tags')
      await us.client.join('#tags')
      bob.say('#tags', 'question?')
      const question = await us.waitFor('message', (event) => event.text === 'question?')
      const id = question.msgid ?? 'none'
      const tags = new Map([['+draft/reply', id]])
      const reply = await us.client.say({ kind: 'message', target: '#tags', text: 'answer', tags })
      const got = await bob.waitFor('message', (data) => data['message'] === 'answer')
      const react = await us.client.sendTags('#tags', new Map([...tags, ['+draft/react', '👍 ;\\']]))
      if (!isRich) {
        assert.equal(us.client.supportsTag('+draft/reply'), false)
        assert.deepEqual(reply, { kind: 'accepted' }, 'the line arrives without its tags')
        assert.deepEqual(react, { kind: 'unsent', reason: 'unsupported' })
        return
      }
      assert.equal((got['tags'] as Record<string, string>)['+draft/reply'], id)
      assert.equal(react.kind, 'echoed')
      const seen = await bob.waitFor('tagmsg', (data) => data['nick'] === 'bridge')
      assert.equal((seen['tags'] as Record<string, string>)['+draft/react'], '👍 ;\\')
      bob.tagmsg('#tags', { '+draft/reply': id, '+draft/react': '🎉' })
      const back = await us.waitFor('tagmsg')
      assert.deepEqual([back.react, back.replyTo, back.channel], ['🎉', id, '#tags'])
    })

    journey('a taken or impossible nick is passed over, and freed nicks are won back', async (server) => {
      const bob = await ircClient({ ...server, nick: 'wanted' })
      await using us = await startObservedClient(server, 'x', {
        nickCandidates: (attempt) => ['wanted', '9 lives', '9lives', 'WANTED', 'second'][attempt],
        timing: { reclaim: 50 },
      })
      assert.equal(us.client.nick, 'second')
      await bob.quit()
      const change = await us.waitFor('nick', (event) => event.own)
      assert.equal(change.nick, 'wanted')
      await using eve = await ircClient({ ...server, nick: 'eve' })
      assert.equal(eve.nick, 'eve')
      const refused = await us.client.setNick('eve')
      assert.ok(refused.kind === 'refused' && refused.code === '433')
      assert.equal((await us.client.setNick('free')).kind, 'accepted')
      assert.equal(us.client.nick, 'free')
    })

    journey('no nick left is an end with a reason', async (server) => {
      await using bob = await ircClient({ ...server, nick: 'onlyone' })
      await using us = observeClient(server, 'x', {
        nickCandidates: (attempt) => (attempt === 0 ? bob.nick : undefined),
        timing: { later: 60_000 },
      })
      us.client.start()
      const end = await us.waitFor('disconnected')
      assert.deepEqual([end.reason, end.retryable], ['nick-refused', true])
      assert.ok((end.retryInMs ?? 0) >= 30_000)
    })

    journey('comings and goings, modes, topics and nicks keep the member list true', async (server) => {
      await using us = await startObservedClient(server, 'bridge')
      await us.client.join('#life')
      const carol = await ircClient({ ...server, nick: 'carol' })
      await using bob = await ircClient({ ...server, nick: 'bob' })
      await carol.join('#life')
      await bob.join('#life')
      await us.waitFor('join', (event) => event.from.nick === 'bob')
      assert.equal((await us.client.perform('MODE', '#life', '+o', 'bob')).kind, 'accepted')
      const mode = await us.waitFor('mode', (event) =>
        event.changes.some((change) => change.argument === 'bob'),
      )
      assert.deepEqual(mode.changes, [{ set: true, mode: 'o', argument: 'bob', kind: 'member' }])
      assert.equal((await us.client.perform('TOPIC', '#life', 'all about life')).kind, 'accepted')
      await us.waitFor('topic', (event) => event.isChange && event.topic === 'all about life')
      carol.raw('NICK caroline')
      const nick = await us.waitFor('nick', (event) => event.from.nick === 'carol')
      assert.deepEqual([nick.nick, nick.channels], ['caroline', ['#life']])
      const ranked = us.client.members('#life').map((member) => member.ranks + member.nick)
      assert.deepEqual(ranked.toSorted(), ['@bob', '@bridge', 'caroline'])
      bob.raw('PART #life :bye now')
      const part = await us.waitFor('part', (event) => event.from.nick === 'bob')
      assert.match(part.reason, /bye now/)
      await carol.quit()
      const quit = await us.waitFor('quit', (event) => event.from.nick === 'caroline')
      assert.deepEqual([quit.channels, quit.isNetsplit], [['#life'], false])
      assert.deepEqual(
        us.client.members('#life').map((member) => member.nick),
        ['bridge'],
      )
      await bob.join('#elsewhere')
      bob.raw('INVITE bridge #elsewhere')
      const invite = await us.waitFor('invite')
      assert.deepEqual([invite.from.nick, invite.nick, invite.channel], ['bob', 'bridge', '#elsewhere'])
    })

    journey('refusals reach the one who asked', async (server) => {
      await using bob = await ircClient({ ...server, nick: 'bob' })
      await using us = await startObservedClient(server, 'bridge')
      await bob.join('#closed')
      bob.raw('MODE #closed +nm')
      await bob.waitFor('mode', (data) => data['target'] === '#closed' && JSON.stringify(data).includes('+m'))
      const outsider = await us.client.say({ kind: 'message', target: '#closed', text: 'let me' })
      assert.ok(outsider.kind === 'refused' && outsider.code === '404')
      await us.client.join('#closed')
      const muted = await Promise.all([
        us.client.say({ kind: 'message', target: '#closed', text: 'one' }),
        us.client.say({ kind: 'message', target: 'bob', text: 'two' }),
        us.client.say({ kind: 'message', target: '#closed', text: 'three' }),
      ])
      assert.deepEqual(
        muted.map(({ kind }) => kind),
        ['refused', isRich ? 'echoed' : 'accepted', 'refused'],
      )
      const nobody = await us.client.say({ kind: 'message', target: 'nobody', text: 'hm' })
      assert.ok(nobody.kind === 'refused' && nobody.code === '401')
      const kick = await us.client.perform('KICK', '#closed', 'bob', 'no')
      assert.ok(kick.kind === 'refused' && kick.code === '482')
    })

    journey('a kick is told and ends the wish to be there; a ban refuses the return', async (server) => {
      await using bob = await ircClient({ ...server, nick: 'bob' })
      await using us = await startObservedClient(server, 'bridge')
      await bob.join('#out')
      await us.client.join('#out')
      bob.raw('MODE #out +b bridge!*@*')
      bob.raw('KICK #out bridge :go away')
      const kick = await us.waitFor('kick')
      assert.deepEqual([kick.isUs, kick.from.nick, kick.reason], [true, 'bob', 'go away'])
      assert.deepEqual(us.client.channels, [])
      const back = await us.client.join('#out')
      assert.ok(back.kind === 'refused' && back.code === '474')
    })

    journey(
      'text of exactly the budget arrives whole, one byte more is refused and not cut',
      async (server) => {
        await using bob = await ircClient({ ...server, nick: 'bob' })
        await using us = await startObservedClient(server, 'bridge')
        await bob.join('#long')
        await us.client.join('#long')
        for (const kind of ['message', 'notice', 'action'] as const) {
          const budget = us.client.textBudget(kind, '#long') ?? 0
          assert.ok(budget > 400, `${budget}`)
          const text = `${kind}${'é'.repeat(300)}`.slice(
            0,
            kind.length + Math.floor((budget - kind.length) / 2),
          )
          const full = text.padEnd(text.length + budget - Buffer.byteLength(text), '.')
          assert.equal(Buffer.byteLength(full), budget)
          assert.notEqual((await us.client.say({ kind, target: '#long', text: full })).kind, 'unsent')
          const got = await bob.waitFor('message', (data) => String(data['message']).startsWith(kind))
          assert.equal(got['message'], full)
          assert.deepEqual(await us.client.say({ kind, target: '#long', text: `${full}.` }), {
            kind: 'unsent',
            reason: 'too-long',
          })
        }
      },
    )

    journey('the budget is exact: the same line with one byte more is cut by the server', async (server) => {
      await using bob = await ircClient({ ...server, nick: 'bob' })
      await using us = await startObservedClient(server, 'bridge')
      await bob.join('#edge')
      await us.client.join('#edge')
      const budget = us.client.textBudget('message', '#edge') ?? 0
      await us.client.perform('PRIVMSG', '#edge', 'x'.repeat(budget + 1))
      const got = await bob.waitFor('message', (data) => String(data['message']).startsWith('xx'))
      assert.equal(String(got['message']).length, budget)
    })

    journey('nothing a person writes becomes a command', async (server) => {
      await using us = await startObservedClient(server, 'bridge')
      await us.client.join('#safe')
      for (const text of ['a\r\nQUIT :gone', 'a\nQUIT', 'a\0b', '']) {
        const outcome = await us.client.say({ kind: 'message', target: '#safe', text })
        assert.deepEqual(outcome, { kind: 'unsent', reason: 'invalid' })
      }
      for (const target of ['#safe,#other', '#safe x', '', ':x', '#a\r\nQUIT']) {
        const outcome = await us.client.say({ kind: 'message', target, text: 'hi' })
        assert.deepEqual(outcome, { kind: 'unsent', reason: 'invalid' })
      }
      assert.equal(us.client.state, 'registered')
    })

    journey(
      'a connection that only speaks hears its own affairs and private words, not the channel',
      async (server) => {
        await using bob = await ircClient({ ...server, nick: 'bob' })
        await using us = await startObservedClient(server, 'ghost', { observe: false })
        await bob.join('#quiet')
        assert.equal((await us.client.join('#quiet')).kind, 'joined')
        bob.say('#quiet', 'not for you')
        bob.say('ghost', 'for you')
        await us.waitFor('message', (event) => event.text === 'for you')
        assert.deepEqual(
          us.events.map((event) => event.type).filter((type) => type !== 'notice'),
          ['registered', 'join', 'message'],
        )
        assert.deepEqual(us.client.members('#quiet'), [])
        bob.raw('KICK #quiet ghost :shoo')
        await us.waitFor('kick', (event) => event.isUs)
      },
    )
  })
}
