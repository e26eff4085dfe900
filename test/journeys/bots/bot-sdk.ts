// What the tests use of matrix-bot-sdk, as its own declarations have it.

export interface BotEvent {
  readonly event_id: string
  readonly sender: string
  readonly type: string
  readonly content: Readonly<Record<string, unknown>>
}

export interface BotClient {
  readonly accessToken: string
  on(name: 'room.message', listen: (roomId: string, event: BotEvent) => void): void
  start(): Promise<void>
  stop(): void
  getUserId(): Promise<string>
  sendText(roomId: string, text: string): Promise<string>
  sendMessage(roomId: string, content: object): Promise<string>
  replyText(roomId: string, event: BotEvent, text: string): Promise<string>
  getRoomStateEvent(roomId: string, type: string, stateKey: string): Promise<Record<string, unknown>>
  getRoomState(roomId: string): Promise<readonly { readonly type: string }[]>
  getJoinedRoomMembers(roomId: string): Promise<string[]>
  getJoinedRooms(): Promise<string[]>
  uploadContent(data: Buffer, contentType: string, filename: string): Promise<string>
  downloadContent(mxc: string): Promise<{ readonly data: Buffer; readonly contentType: string }>
  sendReadReceipt(roomId: string, eventId: string): Promise<void>
  redactEvent(roomId: string, eventId: string, reason: string): Promise<string>
}

export interface BotSdk {
  readonly MatrixClient: new (url: string, accessToken: string, storage: object) => BotClient
  readonly MatrixAuth: new (url: string) => {
    passwordLogin(username: string, password: string, deviceName?: string): Promise<BotClient>
  }
  readonly SimpleFsStorageProvider: new (file: string) => object
  readonly AutojoinRoomsMixin: { setupOnClient(client: BotClient): void }
  readonly LogService: { setLevel(level: unknown): void }
  readonly LogLevel: { readonly ERROR: unknown }
}
