import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/** Runs checks, prints a line for each, and ends the process with the list of those that failed. */
final class Checks {
    interface Body {
        void run() throws Exception;
    }

    interface Part<T> {
        T get() throws Exception;
    }

    private final List<String> failures = new ArrayList<>();
    private int passed;

    void check(String name, Body body) {
        try {
            body.run();
            passed++;
            System.out.println("ok   " + name);
        } catch (Throwable failure) {
            failures.add(name + ": " + chain(failure));
            System.out.println("FAIL " + name + ": " + chain(failure));
            if (System.getProperty("trace") != null) {
                failure.printStackTrace(System.out);
            }
        }
        System.out.flush();
    }

    /** Ends the process, for a driver's threads may still run. */
    void end() {
        System.out.println(passed + " passed, " + failures.size() + " failed");
        failures.forEach(failure -> System.out.println("  " + failure));
        System.out.flush();
        Runtime.getRuntime().halt(failures.isEmpty() ? 0 : 1);
    }

    static void same(Object wanted, Object found) {
        if (!Objects.deepEquals(wanted, found)) {
            throw new AssertionError("wanted " + text(wanted) + ", found " + text(found));
        }
    }

    static void holds(String what, boolean condition) {
        if (!condition) {
            throw new AssertionError(what);
        }
    }

    /** The message with which {@code body} fails; drivers do not wrap every error of a stream. */
    static String fails(Body body) {
        try {
            body.run();
        } catch (Exception failure) {
            return chain(failure);
        }
        throw new AssertionError("no exception was thrown");
    }

    /** The values of the column of this number, all rows. */
    static List<Object> column(ResultSet rows, int number) throws SQLException {
        List<Object> values = new ArrayList<>();
        try (rows) {
            while (rows.next()) {
                values.add(rows.getObject(number));
            }
        }
        return values;
    }

    /** The values of the column of this name, all rows, as text. */
    static List<String> column(ResultSet rows, String name) throws SQLException {
        List<String> values = new ArrayList<>();
        try (rows) {
            while (rows.next()) {
                values.add(rows.getString(name));
            }
        }
        return values;
    }

    static int count(ResultSet rows) throws SQLException {
        int count = 0;
        try (rows) {
            while (rows.next()) {
                count++;
            }
        }
        return count;
    }

    private static String text(Object value) {
        return value == null ? "null" : value + " (" + value.getClass().getSimpleName() + ")";
    }

    private static String chain(Throwable failure) {
        StringBuilder text = new StringBuilder();
        for (Throwable at = failure; at != null && text.length() < 600; at = at.getCause()) {
            text.append(text.length() == 0 ? "" : " <- ").append(at);
        }
        return text.toString().replace('\n', ' ');
    }
}
