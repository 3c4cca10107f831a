export type MessagePart = { type: string; value?: unknown; parts?: MessagePart[]; source?: string };
export type MessageValue = { type: string; dir?: 'ltr' | 'rtl' | 'auto'; toParts?: () => MessagePart[]; toString?: () => string };
export type MessageFunction = (context: unknown, options: Record<string, unknown>, input?: unknown) => MessageValue;
export class MessageFormat {
  constructor(locales: string | string[] | undefined, source: string, options?: { bidiIsolation?: 'default' | 'none'; functions?: Record<string, MessageFunction> });
  format(args?: Record<string, unknown>, onError?: (error: Error) => void): string;
  formatToParts(args?: Record<string, unknown>, onError?: (error: Error) => void): MessagePart[];
}
