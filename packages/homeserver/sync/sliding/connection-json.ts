import type { ConnectionState, SentRoom } from './connection.ts'
import { configFromJson, configToJson, type RoomConfig } from './room-config.ts'

/**
 * A connection's rooms as text: configurations once each, then four numbers a room (room, index of the configuration,
 * what was told, up to where; −1 for as far as the answer): 1,000 rooms are some 12 KB.
 */
export function roomsToText(rooms: ConnectionState['rooms']): string {
  const configs = new Map<string, { at: number; config: RoomConfig }>()
  const numbers: number[] = []
  for (const [roomNid, { config, until, told }] of rooms) {
    const known = configs.get(config.key) ?? { at: configs.size, config }
    configs.set(config.key, known)
    numbers.push(roomNid, known.at, told, until ?? -1)
  }
  return JSON.stringify([[...configs.values()].map(({ config }) => configToJson(config)), numbers])
}

export function roomsFromText(text: string): ConnectionState['rooms'] {
  const [written, numbers] = JSON.parse(text) as [unknown[], number[]]
  const configs = written.map(configFromJson)
  const rooms = new Map<number, SentRoom>()
  for (let at = 0; at < numbers.length; at += 4) {
    const [roomNid, config, told, until] = numbers.slice(at, at + 4) as [number, number, number, number]
    rooms.set(roomNid, { config: configs[config]!, until: until === -1 ? undefined : until, told })
  }
  return rooms
}
