package dev.sluice.bench.guest;

/**
 * The result of a guest.
 *
 * @param exitStatus the script's exit status; 97 if the guest had no disk
 * @param output the console while the script ran: its output and the kernel's errors
 * @param console the whole console
 */
public record GuestResult(int exitStatus, String output, String console) {}
