import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { agree, join, setMembership, setState, talk } from './rooms.ts'
import type { Side, TwoServers } from './two-servers.ts'

/** The room doctor of Causeway asks the other server, and believes nothing but events. */
export function tellOfDoctor(
  world: () => TwoServers,
  sides: () => readonly [hosts: Side, guests: Side],
): void {
  it('the room doctor of Causeway compares the state with the other server, and finds it the same', async () => {
    const [hosts, guests] = sides()
    const [hanna, hugo] = [await hosts.person('hanna'), await hosts.person('hugo')]
    const gero = await guests.person('gero')
    const roomId = await hanna.createRoom({ room_version: '11' })
    await join(gero, roomId, hosts)
    await join(hugo, roomId, hosts)
    await setState(hanna, roomId, 'm.room.topic', { topic: 'health' })
    await setMembership(hanna, roomId, 'ban', hugo)
    await talk(hanna, gero, roomId, 'well')
    await agree(hanna, gero, roomId)
    const other = [hosts, guests].find(({ kind }) => kind === 'Synapse')!
    const found = await world().giveCauseway('room-doctor', { room: roomId, servers: other.serverName })
    assert.equal(found['verdict'], 'the state is the same', JSON.stringify(found))
    const servers = found['servers'] as JsonObject[]
    assert.deepEqual(
      servers.map(({ server, answer, we_hold_it: held }) => [server, answer, held]),
      [[other.serverName, 'same state', true]],
      JSON.stringify(found),
    )
    assert.deepEqual([found['differences'], found['state_resets']], [[], []])
  })
}
