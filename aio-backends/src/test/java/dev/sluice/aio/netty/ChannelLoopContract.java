package dev.sluice.aio.netty;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.management.ThreadMXBean;
import dev.sluice.aio.loop.OpenFiles;
import dev.sluice.linux.CapturedLog;
import dev.sluice.pipeline.BackendOptions;
import dev.sluice.pipeline.BlockBackend;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.LoopCounters;
import dev.sluice.pipeline.testing.Patience;
import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.unix.DomainSocketAddress;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * The contract of a {@link ChannelLoop}: a server lives on its thread beside the block I/O of a sink. The test of each kind of loop that has channels
 * extends it.
 */
@Timeout(240)
public abstract class ChannelLoopContract {
    private static final int PATIENCE_SECONDS = Patience.seconds(60);
    private static final int ROUNDS = 2000;
    private static final int MESSAGE_BYTES = 4096;
    private static final int WARM_UP = 400_000;
    private static final int MEASURED = 400_000;
    /** What a device and its Mono cost a request; a channel that is there and idle adds nothing. */
    private static final long MOST_BYTES = 200;

    private final AtomicInteger elsewhere = new AtomicInteger();
    private Path image = Path.of("unset");
    private Path socket = Path.of("unset");
    private @Nullable IoLoop started;

    /** A running daemon loop. */
    protected abstract IoLoop start(String name) throws IOException;

    /** An image, opened by a backend that works on that kind of loop. */
    protected abstract BlockBackend open(BackendOptions options) throws IOException;

    /** System calls a batch: of the loop, and of a sink that does not use the loop's. */
    protected abstract int entersPerBatch();

    @BeforeEach
    final void prepare() throws IOException {
        image = Files.createTempFile(Path.of("target"), "sluice-channels", ".raw");
        Files.write(image, new byte[1 << 20]);
        socket = Files.createTempDirectory("sluice-channels").resolve("echo.sock");
        started = start("loop-with-channels");
    }

    @AfterEach
    final void cleanUp() throws IOException {
        loop().close();
        assertThat(elsewhere).as("callbacks on other threads").hasValue(0);
        Files.delete(image);
        Files.deleteIfExists(socket);
        Files.delete(socket.toAbsolutePath().getParent());
    }

    private IoLoop loop() {
        IoLoop loop = started;
        if (loop == null) {
            throw new IllegalStateException("not prepared");
        }
        return loop;
    }

    private ChannelLoop channels() {
        return ChannelLoop.of(loop());
    }

    private void checkThread() {
        if (!loop().inLoop()) {
            elsewhere.incrementAndGet();
        }
    }

    private final class Echo extends ChannelInboundHandlerAdapter {
        @Override
        public void channelActive(ChannelHandlerContext context) {
            checkThread();
        }

        @Override
        public void channelRead(ChannelHandlerContext context, Object message) {
            checkThread();
            context.write(message).addListener(written -> checkThread());
        }

        @Override
        public void channelReadComplete(ChannelHandlerContext context) {
            context.flush();
        }
    }

    private final class Throwing extends ChannelInboundHandlerAdapter {
        @Override
        public void channelRead(ChannelHandlerContext context, Object message) {
            checkThread();
            ((ByteBuf) message).release();
            throw new StackOverflowError("a handler that fails for the test");
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
            ChannelFuture _ = context.close();
            throw new AssertionError("another one");
        }
    }

    private Channel serve(SocketAddress address, boolean echo) {
        ChannelFuture bound = new ServerBootstrap()
                .group(channels().eventLoop())
                .channelFactory(() -> channels().newServerChannel(address))
                .childHandler(new ChannelInitializer<>() {
                    @Override
                    protected void initChannel(Channel accepted) {
                        checkThread();
                        accepted.pipeline().addLast(echo ? new Echo() : new Throwing());
                    }
                })
                .bind(address);
        return bound.syncUninterruptibly().channel();
    }

    private Channel serveTcp(boolean echo) {
        return serve(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), echo);
    }

    private Channel serveUnix() {
        return serve(new DomainSocketAddress(socket.toFile()), true);
    }

    /** Sends messages and expects each of them back. On a thread of its own. */
    private static CompletableFuture<Integer> client(SocketAddress address, int rounds) {
        CompletableFuture<Integer> echoed = new CompletableFuture<>();
        Thread.ofPlatform().daemon().start(() -> {
            try (SocketChannel connected = SocketChannel.open(address)) {
                ByteBuffer sent = ByteBuffer.allocate(MESSAGE_BYTES);
                ByteBuffer received = ByteBuffer.allocate(MESSAGE_BYTES);
                for (int round = 0; round < rounds; round++) {
                    sent.clear().putInt(0, round);
                    while (sent.hasRemaining()) {
                        int _ = connected.write(sent);
                    }
                    received.clear();
                    while (received.hasRemaining()) {
                        if (connected.read(received) < 0) {
                            throw new IOException("closed in round " + round);
                        }
                    }
                    if (received.getInt(0) != round) {
                        throw new IOException("round " + round + " is " + received.getInt(0));
                    }
                }
                echoed.complete(rounds);
            } catch (Throwable failed) {
                echoed.completeExceptionally(failed);
            }
        });
        return echoed;
    }

    private static <T extends @Nullable Object> T await(CompletableFuture<T> future) {
        return future.orTimeout(PATIENCE_SECONDS, TimeUnit.SECONDS).join();
    }

    private static void await(BooleanSupplier condition) throws InterruptedException {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
        while (!condition.getAsBoolean()) {
            assertThat(System.nanoTime() - end).as("the condition never held").isNegative();
            TimeUnit.MILLISECONDS.sleep(1);
        }
    }

    private BackendOptions cached() {
        return BackendOptions.of(image).withDirect(false);
    }

    @Test
    void shouldServeTcpAndUnixSocketsBesideBlockIo() throws Exception {
        Channel tcp = serveTcp(true);
        Channel _ = serveUnix();
        assertThat(tcp.eventLoop()).isSameAs(channels().eventLoop());
        try (BlockBackend backend = open(cached()); ReadLoad load = new ReadLoad(backend, loop())) {
            await(() -> load.reads() > 0);
            long before = load.reads();
            List<CompletableFuture<Integer>> clients = List.of(
                    client(tcp.localAddress(), ROUNDS),
                    client(tcp.localAddress(), ROUNDS),
                    client(UnixDomainSocketAddress.of(socket), ROUNDS),
                    client(UnixDomainSocketAddress.of(socket), ROUNDS));
            for (CompletableFuture<Integer> client : clients) {
                assertThat(await(client)).isEqualTo(ROUNDS);
            }
            assertThat(load.reads() - before).as("reads meanwhile").isGreaterThan(ROUNDS);
            assertThat(load.failures()).isZero();
        }
    }

    /** Without the loop's own work nothing but the channels wakes it. */
    @Test
    void shouldWakeUpForChannelsAlone() {
        assertThat(await(client(serveTcp(true).localAddress(), ROUNDS))).isEqualTo(ROUNDS);
    }

    @Test
    void shouldConnectToOthersFromItsThread() {
        SocketAddress address = serveTcp(true).localAddress();
        CompletableFuture<Integer> echoed = new CompletableFuture<>();
        Channel connected = new Bootstrap()
                .group(channels().eventLoop())
                .channelFactory(() -> channels().newChannel(address))
                .handler(new ChannelInboundHandlerAdapter() {
                    @Override
                    public void channelActive(ChannelHandlerContext context) {
                        checkThread();
                        ChannelFuture _ = context.writeAndFlush(context.alloc().buffer().writeInt(4711));
                    }

                    @Override
                    public void channelRead(ChannelHandlerContext context, Object message) {
                        checkThread();
                        echoed.complete(((ByteBuf) message).readInt());
                        ((ByteBuf) message).release();
                    }
                })
                .connect(address)
                .syncUninterruptibly()
                .channel();
        assertThat(await(echoed)).isEqualTo(4711);
        connected.close().syncUninterruptibly();
    }

    @Test
    void shouldContinueWhenAHandlerThrows() {
        SocketAddress throwing = serveTcp(false).localAddress();
        try (CapturedLog logged = new CapturedLog()) {
            for (int i = 0; i < 3; i++) {
                assertThatThrownBy(() -> await(client(throwing, 1))).hasRootCauseInstanceOf(IOException.class);
            }
            assertThat(logged.containing("Unexpected exception in the")).as("Netty's loop, which sleeps then").isEmpty();
        }
        assertThat(await(client(serveTcp(true).localAddress(), 100))).isEqualTo(100);
    }

    @Test
    void shouldCloseItsChannelsWhenItEnds() throws Exception {
        Channel server = serveTcp(true);
        Channel unix = serveUnix();
        try (SocketChannel connected = SocketChannel.open(server.localAddress())) {
            int _ = connected.write(ByteBuffer.allocate(1));
            assertThat(connected.read(ByteBuffer.allocate(1))).isEqualTo(1);
            try (CapturedLog logged = new CapturedLog()) {
                loop().close();
                assertThat(logged.containing("did not come back")).isEmpty();
                assertThat(logged.containing("rejected")).isEmpty();
            }
            assertThat(connected.read(ByteBuffer.allocate(1))).isEqualTo(-1);
        }
        assertThat(server.closeFuture().isDone()).isTrue();
        assertThat(unix.closeFuture().isDone()).isTrue();
        assertThat(server.eventLoop().isShuttingDown()).isTrue();
        assertThat(server.eventLoop().awaitTermination(PATIENCE_SECONDS, TimeUnit.SECONDS)).isTrue();
        assertThatThrownBy(() -> server.eventLoop().execute(() -> {})).isInstanceOf(RejectedExecutionException.class);
        assertThatThrownBy(() -> channels().eventLoop()).isInstanceOf(IllegalStateException.class).hasMessage("loop-with-channels has ended");
    }

    @Test
    void shouldLeaveNoDescriptorBehind() throws Exception {
        for (int round = 0; round < 3; round++) {
            long before = OpenFiles.count();
            try (IoLoop other = start("other-loop")) {
                ChannelLoop channels = ChannelLoop.of(other);
                InetSocketAddress any = new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
                Channel server = new ServerBootstrap()
                        .group(channels.eventLoop())
                        .channelFactory(() -> channels.newServerChannel(any))
                        .childHandler(new Echo())
                        .bind(any)
                        .syncUninterruptibly()
                        .channel();
                try (SocketChannel connected = SocketChannel.open(server.localAddress())) {
                    assertThat(connected.isConnected()).isTrue();
                }
            }
            if (round > 0) {
                await(() -> openFiles() <= before);
            }
        }
        elsewhere.set(0);
    }

    private static long openFiles() {
        try {
            return OpenFiles.count();
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void shouldRunNettysTimersOnItsThread() throws Exception {
        CountDownLatch ran = new CountDownLatch(3);
        long start = System.nanoTime();
        var late = channels().eventLoop().schedule(ran::countDown, 1, TimeUnit.HOURS);
        var due = channels().eventLoop().schedule(
                () -> {
                    checkThread();
                    return System.nanoTime();
                },
                20,
                TimeUnit.MILLISECONDS);
        var repeated = channels().eventLoop().scheduleAtFixedRate(ran::countDown, 1, 1, TimeUnit.MILLISECONDS);
        assertThat(due.get(PATIENCE_SECONDS, TimeUnit.SECONDS) - start).isGreaterThanOrEqualTo(TimeUnit.MILLISECONDS.toNanos(20));
        assertThat(ran.await(PATIENCE_SECONDS, TimeUnit.SECONDS)).isTrue();
        assertThat(repeated.cancel(false)).isTrue();
        assertThat(late.cancel(false)).isTrue();
    }

    @Test
    void shouldSleepWhenItsChannelsAreIdle() throws Exception {
        Channel server = serveTcp(true);
        try (SocketChannel connected = SocketChannel.open(server.localAddress())) {
            int _ = connected.write(ByteBuffer.allocate(1));
            assertThat(connected.read(ByteBuffer.allocate(1))).isEqualTo(1);
            CompletableFuture<LoopCounters> after = new CompletableFuture<>();
            CompletableFuture<LoopCounters> before = new CompletableFuture<>();
            loop().execute(() -> loop().schedule(
                    () -> {
                        before.complete(loop().counters());
                        loop().schedule(() -> after.complete(loop().counters()), TimeUnit.MILLISECONDS.toNanos(300));
                    },
                    TimeUnit.MILLISECONDS.toNanos(100)));
            long ticks = -await(before).ticks() + await(after).ticks();
            assertThat(ticks).isLessThan(5);
        }
    }

    @Test
    void shouldRefuseToBeShutDownByNetty() {
        assertThatThrownBy(() -> channels().eventLoop().shutdownGracefully())
                .isInstanceOf(UnsupportedOperationException.class)
                .hasMessage("loop-with-channels belongs to whoever started it: close the IoLoop");
        assertThat(channels().eventLoop().isShuttingDown()).isFalse();
        assertThatThrownBy(() -> channels().newServerChannel(UnixDomainSocketAddress.of(socket)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("neither a TCP nor a Unix socket address");
    }

    /** A channel that is open and idle costs requests of the sink nothing: no memory, no system call. */
    @Test
    void shouldKeepThePathOfTheSinkAsItIs() throws Exception {
        Channel server = serveTcp(true);
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        try (SocketChannel connected = SocketChannel.open(server.localAddress());
                BlockBackend backend = open(cached());
                ReadLoad load = new ReadLoad(backend, loop())) {
            assertThat(connected.isConnected()).isTrue();
            await(() -> load.reads() >= WARM_UP);
            LoopCounters before = loop().counters();
            long bytesBefore = threads.getThreadAllocatedBytes(before.threadId());
            long readsBefore = load.reads();
            await(() -> load.reads() >= readsBefore + MEASURED);
            LoopCounters after = loop().counters();
            long bytes = threads.getThreadAllocatedBytes(after.threadId()) - bytesBefore;
            long reads = load.reads() - readsBefore;
            long batches = after.ticks() - before.ticks();
            assertThat(bytes / reads).as("heap bytes a read").isLessThan(MOST_BYTES);
            assertThat(after.enters() - before.enters()).as("system calls in %s ticks", batches).isLessThanOrEqualTo(entersPerBatch() * (batches + 2));
        }
    }
}
