import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { MatrixPerson } from '@causeway/testkit/matrix-person.ts'
import { agree, findTexts, join, leave, seeMembership, setMembership, setState, talk } from './rooms.ts'
import type { Side, TwoServers } from './two-servers.ts'

async function sayAll(person: MatrixPerson, roomId: string, texts: readonly string[]): Promise<void> {
  for (const text of texts) await person.say(roomId, text)
}

const numbered = (what: string): string[] => Array.from({ length: 20 }, (_, index) => `${what} ${index}`)

/** The network parts, both sides go on, it heals, and they have one room again. */
export function tellOfParting(
  world: () => TwoServers,
  sides: () => readonly [hosts: Side, guests: Side],
  versions: readonly string[],
): void {
  for (const version of versions) {
    it(`parted in a room of version ${version}, both write; healed, both have all of it, and the same state`, async () => {
      const [hosts, guests] = sides()
      const [hanna, henry] = [await hosts.person('hanna'), await hosts.person('henry')]
      const [gero, gisa] = [await guests.person('gero'), await guests.person('gisa')]
      const roomId = await hanna.createRoom({
        room_version: version,
        power_level_content_override: {
          users: { ...(version === '12' ? {} : { [hanna.userId]: 100 }), [gero.userId]: 50 },
        },
      })
      await join(gero, roomId, hosts)
      await join(gisa, roomId, hosts)
      await seeMembership(hanna, roomId, gisa, 'join')
      await talk(hanna, gero, roomId, 'before')
      await agree(hanna, gero, roomId)

      await world().part()
      const [here, there] = [numbered('here'), numbered('there')]
      await sayAll(hanna, roomId, here)
      await setState(hanna, roomId, 'm.room.topic', { topic: 'of the hosts' })
      await setState(hanna, roomId, 'org.example.log', { by: 'hosts' }, 'hosts')
      await setState(hanna, roomId, 'org.example.log', { by: 'hosts' }, 'both')
      await join(henry, roomId, hosts)
      await setMembership(hanna, roomId, 'ban', gisa)
      await sayAll(gero, roomId, there)
      await setState(gero, roomId, 'm.room.topic', { topic: 'of the guests' })
      await setState(gero, roomId, 'm.room.name', { name: 'Parted' })
      await setState(gero, roomId, 'org.example.log', { by: 'guests' }, 'guests')
      await setState(gero, roomId, 'org.example.log', { by: 'guests' }, 'both')
      await gisa.say(roomId, 'I do not know yet')
      await world().mend()
      // Somebody is heard from, and what waited is sent.
      await gero.say(roomId, 'are you there?')
      await hanna.say(roomId, 'here we are again')
      await findTexts(hanna, roomId, [...there, 'are you there?'])
      await findTexts(gero, roomId, [...here, 'here we are again'])
      const state = await agree(hanna, gero, roomId)
      const keys = Object.keys(state)
      for (const key of ['hosts', 'guests', 'both']) assert.ok(keys.includes(`org.example.log ${key}`), key)
      const gisaNow = await gero.state(roomId, 'm.room.member', gisa.userId)
      assert.equal(gisaNow?.['membership'], 'ban')
      assert.equal((await gero.state(roomId, 'm.room.member', henry.userId))?.['membership'], 'join')
      assert.equal((await hanna.state(roomId, 'm.room.name'))?.['name'], 'Parted')
      await talk(hanna, gero, roomId, 'after')
      await agree(hanna, gero, roomId)
    })
  }

  it('parted, each side takes power from the other; healed, both agree on one outcome', async () => {
    const [hosts, guests] = sides()
    const [hanna, gero] = [await hosts.person('hanna'), await guests.person('gero')]
    const users = { [hanna.userId]: 100, [gero.userId]: 100 }
    const roomId = await hanna.createRoom({
      room_version: '11',
      power_level_content_override: { users },
    })
    await join(gero, roomId, hosts)
    await talk(hanna, gero, roomId, 'as equals')
    await agree(hanna, gero, roomId)
    await world().part()
    const levels = (await hanna.state(roomId, 'm.room.power_levels'))!
    await setState(hanna, roomId, 'm.room.power_levels', { ...levels, state_default: 60 })
    await setState(hanna, roomId, 'm.room.join_rules', { join_rule: 'invite' })
    await setState(gero, roomId, 'm.room.power_levels', { ...levels, events_default: 10 })
    await setState(gero, roomId, 'm.room.topic', { topic: 'by gero' })
    await world().mend()
    await gero.say(roomId, 'gero again')
    await hanna.say(roomId, 'hanna again')
    await findTexts(hanna, roomId, ['gero again'])
    await findTexts(gero, roomId, ['hanna again'])
    await agree(hanna, gero, roomId)
    await talk(hanna, gero, roomId, 'as equals, after all')
    const after = await agree(hanna, gero, roomId)
    assert.ok(Object.keys(after).includes('m.room.topic '))
    await leave(gero, roomId)
    await seeMembership(hanna, roomId, gero, 'leave')
  })

  it('Causeway crashes while parted; nothing that it had acknowledged is lost', async () => {
    const [hosts, guests] = sides()
    const [hanna, gero] = [await hosts.person('hanna'), await guests.person('gero')]
    const roomId = await hanna.createRoom()
    await join(gero, roomId, hosts)
    await talk(hanna, gero, roomId, 'before the storm')
    await world().part()
    const [here, there] = [numbered('in the storm'), numbered('in the lee')]
    await sayAll(hanna, roomId, here)
    await sayAll(gero, roomId, there)
    await world().crashCauseway()
    await world().mend()
    await gero.say(roomId, 'the wind drops')
    await hanna.say(roomId, 'the sun comes out')
    await findTexts(hanna, roomId, [...there, 'the wind drops'])
    await findTexts(gero, roomId, [...here, 'the sun comes out'])
    await agree(hanna, gero, roomId)
  })
}
