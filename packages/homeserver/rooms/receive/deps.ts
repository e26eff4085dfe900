import type { Clock } from '@causeway/store/clock/clock.ts'
import type { RoomEngine } from '../engine.ts'
import type { ReceiveFigures } from './figures.ts'
import type { RoomPeers } from '../peers/room-peers.ts'

/** What is told of receiving, for logs and metrics. */
export interface ReceiveLog {
  warn(message: string, fields: Readonly<Record<string, unknown>>): void
  info(message: string, fields: Readonly<Record<string, unknown>>): void
}

/** What receiving needs beside the rooms themselves. */
export interface ReceiveDeps {
  readonly engine: RoomEngine
  readonly peers: RoomPeers
  readonly clock: Clock
  readonly logger: ReceiveLog
  readonly figures: ReceiveFigures
}
